#[allow(deprecated, unused_imports, unused_qualifications)]
const _: () = {
    use ::intercom_core::__private_0_1_0::{
        self as __p, FieldDescription::Key as __K, MetadataValue as __V,
    };
    #[automatically_derived]
    impl __p::IntercomEvent for ProjectCreated {
        const __EVENT: __p::EventDescription = __p::event_description(
            "project_created",
            "project_created",
            "Somebody began a project.",
            &[
                __K(
                    "project_id",
                    r" The number in the project's address.",
                    <u64 as __V>::__DESCRIPTION,
                ),
                __K("project_name", "", <String as __V>::__DESCRIPTION),
            ],
            10usize,
        );
        #[inline]
        fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
            <u64 as __V>::__plain(&(self.project_id), __out, ",\"project_id\":");
            <String as __V>::__plain(&(self.project_name), __out, ",\"project_name\":");
        }
    }
};
