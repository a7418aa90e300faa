#[automatically_derived]
#[allow(deprecated, unused_qualifications)]
const _: () = {
    use facade::intercom::__private as __p;
    const _: () = {
        const __PARTS: &[__p::Part] = &[
            __p::Part::Key("amount"),
            __p::Part::Key("due_date"),
            __p::Part::Key("stripe_invoice"),
            __p::Part::Key("note"),
            __p::Part::Key("place"),
            __p::Part::Key("lasted"),
            __p::Part::Group(<Plan<'_> as __p::EventMetadata>::FIELDS),
        ];
        const _: () = __p::group_is_distinct(__PARTS, 6usize);
        const _: () = __p::count_is_allowed(
            "invoice_paid",
            __PARTS,
            __p::core::option::Option::Some(11),
        );
    };
    #[automatically_derived]
    impl<'a, T: Clone> __p::IntercomEvent for Invoice<'a, T>
    where
        T: __p::MetadataValue,
        <T as __p::MetadataValue>::Kind: __p::PlainKey,
    {
        fn event_name(&self) -> __p::EventName {
            match self {
                Self::Paid { .. } => __p::EventName::__checked("invoice_paid"),
                Self::Lost { .. } => __p::EventName::__checked("invoice_lost"),
            }
        }
        fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
            match self {
                Self::Paid {
                    amount: field_amount,
                    due_date: field_due_date,
                    stripe_invoice: field_stripe_invoice,
                    note: field_note,
                    place: field_place,
                    lasted: field_lasted,
                    plan: field_plan,
                    ..
                } => {
                    <T as __p::MetadataValue>::__plain(
                        field_amount,
                        __out,
                        ",\"AMOUNT\":",
                    );
                    <Option<
                        Timestamp,
                    > as __p::MetadataValue>::__date(
                        field_due_date,
                        __out,
                        ",\"DUE_DATE\":",
                    );
                    <&'a str as __p::MetadataValue>::__stripe(
                        field_stripe_invoice,
                        __out,
                        ",\"STRIPE_INVOICE\":",
                    );
                    <&'a str as __p::MetadataValue>::__truncated(
                        field_note,
                        __out,
                        ",\"NOTE\":",
                    );
                    __p::MetadataValue::__plain(
                        &__p::display::<Place>(field_place.as_ref()),
                        __out,
                        ",\"PLACE\":",
                    );
                    __p::MetadataValue::__plain(
                        &minutes(field_lasted),
                        __out,
                        ",\"LASTED\":",
                    );
                    <Plan<'a> as __p::EventMetadata>::encode_metadata(field_plan, __out);
                }
                Self::Lost { .. } => {}
            }
        }
        fn event_contact(&self) -> __p::core::option::Option<__p::Contact> {
            match self {
                Self::Paid { customer: field_customer, .. } => {
                    __p::Contact::__from_roles(
                        <u64 as __p::UserIdRole>::get(field_customer),
                        __p::core::option::Option::None,
                        __p::core::option::Option::None,
                    )
                }
                Self::Lost { address: field_address, .. } => {
                    __p::Contact::__from_roles(
                        __p::core::option::Option::None,
                        <&'a str as __p::EmailRole>::get(field_address),
                        __p::core::option::Option::None,
                    )
                }
            }
        }
        fn event_created_at(&self) -> __p::core::option::Option<__p::Timestamp> {
            match self {
                Self::Paid { at: field_at, .. } => {
                    <Option<SystemTime> as __p::CreatedAtRole>::get(field_at)
                }
                Self::Lost { .. } => __p::core::option::Option::None,
            }
        }
    }
    #[automatically_derived]
    impl<'a, T: Clone> __p::DescribedEvent for Invoice<'a, T>
    where
        T: __p::MetadataValue,
        <T as __p::MetadataValue>::Kind: __p::PlainKey,
    {
        const EVENTS: &'static [__p::EventDescription] = &[
            __p::EventDescription {
                name: "invoice_paid",
                folded_name: "invoice_paid",
                doc: "",
                fields: &[
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "AMOUNT",
                        folded_key: "amount",
                        doc: "",
                        kind: <T as __p::MetadataValue>::__KIND,
                        optional: <T as __p::MetadataValue>::OPTIONAL,
                    }),
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "DUE_DATE",
                        folded_key: "due_date",
                        doc: "",
                        kind: <Option<Timestamp> as __p::MetadataValue>::__KIND,
                        optional: <Option<Timestamp> as __p::MetadataValue>::OPTIONAL,
                    }),
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "STRIPE_INVOICE",
                        folded_key: "stripe_invoice",
                        doc: "",
                        kind: <&'a str as __p::MetadataValue>::__KIND,
                        optional: <&'a str as __p::MetadataValue>::OPTIONAL,
                    }),
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "NOTE",
                        folded_key: "note",
                        doc: "",
                        kind: <&'a str as __p::MetadataValue>::__KIND,
                        optional: <&'a str as __p::MetadataValue>::OPTIONAL,
                    }),
                    __p::FieldDescription::Key(__p::KeyDescription {
                        key: "PLACE",
                        folded_key: "place",
                        doc: "",
                        kind: __p::ValueKind::Text,
                        optional: true,
                    }),
                    __p::converted::<
                        Duration,
                        _,
                        _,
                    >(&|field| minutes(field), "LASTED", "lasted", ""),
                    __p::FieldDescription::Group(
                        <Plan<'a> as __p::EventMetadata>::FIELDS,
                    ),
                ],
                max_keys: 11,
                identified: true,
            },
            __p::EventDescription {
                name: "invoice_lost",
                folded_name: "invoice_lost",
                doc: "",
                fields: &[],
                max_keys: 10usize,
                identified: true,
            },
        ];
    }
    #[automatically_derived]
    impl<'a, T: Clone> __p::IdentifiedEvent for Invoice<'a, T>
    where
        T: __p::MetadataValue,
        <T as __p::MetadataValue>::Kind: __p::PlainKey,
    {}
};
