#[allow(deprecated, unused_imports, unused_qualifications)]
const _: () = {
    use facade::intercom::__private_0_1_0::{
        self as __p, FieldDescription::Key as __K, MetadataValue as __V,
    };
    const _: () = {
        const __PARTS: &[__p::Part] = &[
            __p::Part::Key("AMOUNT"),
            __p::Part::Key("DUE_DATE"),
            __p::Part::Key("STRIPE_INVOICE"),
            __p::Part::Key("NOTE"),
            __p::Part::Key("PLACE"),
            __p::Part::Key("LASTED"),
            __p::Part::Key("PAUSED"),
            __p::Part::Group(<Plan<'_> as __p::EventMetadata>::GROUP),
        ];
        const _: () = __p::group_is_distinct(__PARTS, 7usize);
        const _: () = __p::count_is_allowed(
            "invoice_paid",
            __PARTS,
            __p::core::option::Option::Some(11),
        );
    };
    #[automatically_derived]
    impl<'a, T: Clone> __p::IntercomEvent for Invoice<'a, T>
    where
        T: __V,
        <T as __V>::Kind: __p::PlainKey,
    {
        const EVENTS: &'static [__p::EventDescription] = &[
            __p::event_description(
                    "invoice_paid",
                    "invoice_paid",
                    "",
                    &[
                        __K("AMOUNT", "", <T as __V>::__DESCRIPTION),
                        __K("DUE_DATE", "", <Option<Timestamp> as __V>::__DESCRIPTION),
                        __K("STRIPE_INVOICE", "", <&'a str as __V>::__DESCRIPTION),
                        __K(
                            "NOTE",
                            "",
                            <&'a str as __V>::__DESCRIPTION.__truncated().__sensitive(),
                        ),
                        __K("PLACE", "", __p::text_description(true)),
                        __K(
                            "LASTED",
                            "",
                            __p::converted::<
                                Duration,
                                _,
                                _,
                            >(__V::__DESCRIPTION_OF, &|__field| minutes(__field)),
                        ),
                        __K(
                            "PAUSED",
                            "",
                            __p::converted::<
                                Duration,
                                _,
                                _,
                            >(
                                __V::__DESCRIPTION_OF,
                                &|__field| __p::core::option::Option::Some(minutes(__field)),
                            ),
                        ),
                        __p::FieldDescription::Group(
                            <Plan<'a> as __p::EventMetadata>::GROUP,
                        ),
                    ],
                    11,
                )
                .__with_roles(&[__p::Role::UserId, __p::Role::CreatedAt])
                .__with_earlier_name("paid"),
            __p::event_description("invoice_lost", "invoice_lost", "", &[], 10usize)
                .__with_roles(&[__p::Role::Email]),
        ];
        const ALSO: &'static [__p::AlsoDescription] = &[
            __p::describe::<
                Self,
                _,
                _,
            >("invoice_paid", __p::Gives::EVENTS, &|__event| big_invoice(__event)),
        ];
        fn derive_events(&self, __out: &mut __p::DerivedEvents<'_>) {
            match self {
                Self::Paid { .. } => {
                    __p::derive::<
                        Self,
                        _,
                        _,
                    >(self, __out, __p::Gives::EVENTS, &|__event| big_invoice(__event));
                }
                Self::Lost { .. } => {}
            }
        }
        #[inline]
        fn event_index(&self) -> usize {
            match self {
                Self::Paid { .. } => 0usize,
                Self::Lost { .. } => 1usize,
            }
        }
        #[inline]
        fn encode_metadata(&self, __out: &mut __p::MetadataEncoder<'_>) {
            match self {
                Self::Paid {
                    amount: field_amount,
                    due_date: field_due_date,
                    stripe_invoice: field_stripe_invoice,
                    note: field_note,
                    place: field_place,
                    lasted: field_lasted,
                    paused: field_paused,
                    plan: field_plan,
                    ..
                } => {
                    <T as __V>::__plain(field_amount, __out, ",\"AMOUNT\":");
                    <Option<
                        Timestamp,
                    > as __V>::__date(field_due_date, __out, ",\"DUE_DATE\":");
                    <&'a str as __V>::__stripe(
                        field_stripe_invoice,
                        __out,
                        ",\"STRIPE_INVOICE\":",
                    );
                    <&'a str as __V>::__truncated(field_note, __out, ",\"NOTE\":");
                    __V::__plain(
                        &__p::display::<
                            Place,
                        >(__p::core::option::Option::as_ref(field_place)),
                        __out,
                        ",\"PLACE\":",
                    );
                    __V::__plain(&minutes(field_lasted), __out, ",\"LASTED\":");
                    __V::__plain(
                        &match __p::core::option::Option::as_ref(field_paused) {
                            __p::core::option::Option::Some(__value) => {
                                __p::core::option::Option::Some(minutes(__value))
                            }
                            __p::core::option::Option::None => {
                                __p::core::option::Option::None
                            }
                        },
                        __out,
                        ",\"PAUSED\":",
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
    impl<'a, T: Clone> __p::IdentifiedEvent for Invoice<'a, T>
    where
        T: __V,
        <T as __V>::Kind: __p::PlainKey,
    {}
};
