"""What fuzz.py sends where it walks from one operation to the next: requests that get somewhere."""

import schemathesis

# Waits for an answer, so that its runs can still be acted on.
ASKING = {
    "id": "asking",
    "name": "Asking",
    "nodes": [
        {"id": "start", "type": "core.workflow.entrypoint", "data": {"config": {"params": {"runtimeInputs": []}}}},
        {"id": "ask", "type": "core.approval", "data": {"config": {"params": {"title": "Go on?"}}}},
    ],
    "edges": [{"id": "start-ask", "source": "start", "target": "ask"}],
}


@schemathesis.hook
def map_case(context, case):
    """Graphs that can run, and what their runs take."""
    operation = case.operation.definition.raw["operationId"]
    if operation in ("createWorkflow", "putWorkflow"):
        case.body = ASKING
    if operation == "runWorkflow":
        case.body = {"inputs": {}}
    if operation == "answerNode":
        case.body = {"nodeId": "ask", "answer": {"approved": True}}
    return case
