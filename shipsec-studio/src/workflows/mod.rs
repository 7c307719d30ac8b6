//! Where workflows are kept, with their versions.

mod folder;
mod memory;
mod store;

pub use folder::WorkflowFolder;
pub use memory::MemoryWorkflows;
pub use store::{
    Expected, InvalidWorkflowId, StoredWorkflow, WorkflowEntry, WorkflowStore, WorkflowStoreError,
    WorkflowVersion, check_id,
};
