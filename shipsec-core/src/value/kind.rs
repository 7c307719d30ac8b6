//! Port types as Rust types, so that the compiler checks what the typed builder connects.

use crate::component::PortType;

/// A port type at compile time; [`kinds`] has them all.
pub trait Kind: 'static {
    /// The same port type at run time.
    fn port_type() -> PortType;
}

/// An output of this kind may be connected to an input of kind `To`: the rules of
/// [`PortType::connects_to`], checked by the compiler.
#[diagnostic::on_unimplemented(
    message = "an output of kind `{Self}` does not connect to an input of kind `{To}`",
    label = "these two ports do not fit",
    note = "equal kinds connect; anything but a secret goes into `Any` and `Json`; numbers and booleans go into `Text`, text into `Number` and `Boolean`; a `Secret` goes into a `Secret` alone"
)]
pub trait ConnectsTo<To: Kind>: Kind {}

/// The kinds of port.
pub mod kinds {
    use std::marker::PhantomData;

    use super::{ConnectsTo, Kind};
    use crate::component::PortType;

    /// Anything but a secret.
    #[derive(Debug)]
    pub enum Any {}
    /// Text.
    #[derive(Debug)]
    pub enum Text {}
    /// A number.
    #[derive(Debug)]
    pub enum Number {}
    /// True or false.
    #[derive(Debug)]
    pub enum Boolean {}
    /// Any JSON.
    #[derive(Debug)]
    pub enum Json {}
    /// A reference to a file in artifact storage.
    #[derive(Debug)]
    pub enum File {}
    /// A secret.
    #[derive(Debug)]
    pub enum Secret {}
    /// A list of one kind.
    #[derive(Debug)]
    pub struct List<K>(PhantomData<K>);
    /// A map from text to one kind.
    #[derive(Debug)]
    pub struct Map<K>(PhantomData<K>);
    /// A named contract; `T` is the type that derives it.
    #[derive(Debug)]
    pub struct Contract<T>(PhantomData<T>);

    macro_rules! plain {
        ($($kind:ident)*) => {
            $(impl Kind for $kind {
                fn port_type() -> PortType {
                    PortType::$kind
                }
            })*
        };
    }
    plain!(Any Text Number Boolean Json File Secret);

    impl<K: Kind> Kind for List<K> {
        fn port_type() -> PortType {
            PortType::List(Box::new(K::port_type()))
        }
    }
    impl<K: Kind> Kind for Map<K> {
        fn port_type() -> PortType {
            PortType::Map(Box::new(K::port_type()))
        }
    }
    /// The name of a contract; written by `#[derive(Contract)]`.
    pub trait ContractId: 'static {
        /// For example `shipsec.finding.v1`.
        const ID: &'static str;
    }
    impl<T: ContractId> Kind for Contract<T> {
        fn port_type() -> PortType {
            PortType::Contract(T::ID.into())
        }
    }

    /// Nothing at all. A secret may connect to this besides a secret: were a secret's only way the
    /// one to a secret, the compiler would take that for granted, and blame the input's type.
    #[doc(hidden)]
    #[derive(Debug)]
    pub enum Nothing {}
    impl Kind for Nothing {
        fn port_type() -> PortType {
            PortType::Secret
        }
    }

    macro_rules! connects {
        ($($from:ty => $($to:ty),+;)*) => {
            $($(
                #[diagnostic::do_not_recommend]
                impl ConnectsTo<$to> for $from {}
            )+)*
        };
    }
    connects! {
        Any => Any, Text, Number, Boolean, Json, File;
        Text => Any, Text, Number, Boolean, Json;
        Number => Any, Text, Number, Json;
        Boolean => Any, Text, Boolean, Json;
        Json => Any, Json;
        File => Any, File, Json;
        Secret => Secret, Nothing;
    }
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<List<K>> for Any {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Map<K>> for Any {}
    #[diagnostic::do_not_recommend]
    impl<T: ContractId> ConnectsTo<Contract<T>> for Any {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<List<K>> for List<K> {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Any> for List<K> {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Json> for List<K> {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Map<K>> for Map<K> {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Any> for Map<K> {}
    #[diagnostic::do_not_recommend]
    impl<K: Kind> ConnectsTo<Json> for Map<K> {}
    #[diagnostic::do_not_recommend]
    impl<T: ContractId> ConnectsTo<Contract<T>> for Contract<T> {}
    #[diagnostic::do_not_recommend]
    impl<T: ContractId> ConnectsTo<Any> for Contract<T> {}
    #[diagnostic::do_not_recommend]
    impl<T: ContractId> ConnectsTo<Json> for Contract<T> {}
}
