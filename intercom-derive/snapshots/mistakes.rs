::core::compile_error! {
    "unknown event attribute `nmae`, did you mean `name`?"
}
::core::compile_error! {
    "Intercom keeps the metadata key `type` for itself: set another with `#[event(rename = \"…\")]`"
}
#[allow(deprecated, unused_imports, unused_qualifications)]
const _: () = {
    use ::intercom_core::__private_0_1_0::{
        self as __p, FieldDescription::Key as __K, MetadataValue as __V,
    };
    #[automatically_derived]
    impl __p::IntercomEvent for ProjectCreated {
        const EVENTS: &'static [__p::EventDescription] = &[];
        fn event_name(&self) -> __p::EventName {
            __p::core::unreachable!()
        }
        fn encode_metadata(&self, _: &mut __p::MetadataEncoder<'_>) {}
    }
    #[automatically_derived]
    impl __p::IdentifiedEvent for ProjectCreated {}
};
