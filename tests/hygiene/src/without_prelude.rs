//! Derives without a prelude: not even `Option` is in scope.

#![no_implicit_prelude]

#[derive(::renamed_core::IntercomEvent)]
#[event(name = "bare", crate = ::renamed_core)]
pub struct Bare<'a, T> {
    pub number: T,
    #[event(email)]
    pub address: &'a str,
    #[event(flatten)]
    pub group: ::std::option::Option<Group>,
    #[event(display)]
    pub shown: ::std::option::Option<u8>,
}

#[derive(::renamed_core::EventMetadata)]
#[event(crate = ::renamed_core)]
pub struct Group {
    pub text: ::std::string::String,
}

#[derive(::renamed_core::IntercomEvent)]
#[event(crate = ::renamed_core)]
pub enum Both {
    #[event(name = "one")]
    One,
    #[event(name = "two")]
    Two { text: ::std::boxed::Box<str> },
}

#[derive(::renamed_core::MetadataValue)]
#[event(crate = ::renamed_core)]
pub struct Newtype(pub u8);

#[derive(::renamed_core::MetadataValue)]
#[event(crate = ::renamed_core)]
pub enum Choice {
    One,
    Two,
}

pub const NAMES: [&str; 3] = [
    <Bare<'static, u8> as ::renamed_core::IntercomEvent>::EVENTS[0].name,
    <Both as ::renamed_core::IntercomEvent>::EVENTS[0].name,
    <Both as ::renamed_core::IntercomEvent>::EVENTS[1].name,
];
