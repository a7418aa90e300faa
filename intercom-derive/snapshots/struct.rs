#[automatically_derived]
#[allow(deprecated, unused_qualifications)]
const _: () = {
    use ::intercom_core::__private as __p;
    #[automatically_derived]
    impl __p::IntercomEvent for ProjectCreated {
        fn event_name(&self) -> __p::EventName {
            match self {
                Self { .. } => __p::EventName::__checked("project_created"),
            }
        }
        fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
            match self {
                Self {
                    project_id: field_project_id,
                    project_name: field_project_name,
                    ..
                } => {
                    <u64 as __p::MetadataValue>::__plain(
                        field_project_id,
                        __out,
                        ",\"project_id\":",
                    );
                    <String as __p::MetadataValue>::__plain(
                        field_project_name,
                        __out,
                        ",\"project_name\":",
                    );
                }
            }
        }
    }
    #[automatically_derived]
    impl __p::DescribedEvent for ProjectCreated {
        const EVENTS: &'static [__p::EventDescription] = &[
            __p::EventDescription {
                name: "project_created",
                folded_name: "project_created",
                doc: "Somebody began a project.",
                fields: &[
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "project_id",
                        folded_key: "project_id",
                        doc: "The number in the project's address.",
                        kind: <u64 as __p::MetadataValue>::__KIND,
                        optional: <u64 as __p::MetadataValue>::OPTIONAL,
                    }),
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "project_name",
                        folded_key: "project_name",
                        doc: "",
                        kind: <String as __p::MetadataValue>::__KIND,
                        optional: <String as __p::MetadataValue>::OPTIONAL,
                    }),
                ],
                max_keys: 10usize,
                identified: false,
            },
        ];
    }
};
