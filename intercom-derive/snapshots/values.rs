#[allow(deprecated, unused_imports, unused_qualifications)]
const _: () = {
    use ::intercom_core::__private_0_1_0::{
        self as __p, FieldDescription::Key as __K, MetadataValue as __V,
    };
    #[automatically_derived]
    impl<'a, T> __V for Id<'a, T>
    where
        &'a T: __V,
    {
        type Kind = <&'a T as __V>::Kind;
        const OPTIONAL: __p::bool = <&'a T as __V>::OPTIONAL;
        const TEXTS: &'static [&'static __p::str] = <&'a T as __V>::TEXTS;
        #[inline]
        fn encode(
            &self,
            __encoder: __p::ValueEncoder<'_, <&'a T as __V>::Kind>,
        ) -> __p::core::result::Result<__p::Written, __p::ValueError> {
            <&'a T as __V>::encode(&self.0, __encoder)
        }
    }
    #[automatically_derived]
    impl<'a, T> __p::ToUserId for Id<'a, T>
    where
        for<'__value> &'__value &'a T: __p::ToUserId,
    {
        fn to_user_id(&self) -> __p::Arc<__p::str> {
            __p::ToUserId::to_user_id(&&self.0)
        }
    }
    #[automatically_derived]
    impl<'a, T> __p::ToEmail for Id<'a, T>
    where
        for<'__value> &'__value &'a T: __p::ToEmail,
    {
        fn to_email(&self) -> __p::Arc<__p::str> {
            __p::ToEmail::to_email(&&self.0)
        }
    }
    #[automatically_derived]
    impl<'a, T> __p::ToContactId for Id<'a, T>
    where
        for<'__value> &'__value &'a T: __p::ToContactId,
    {
        fn to_contact_id(&self) -> __p::Arc<__p::str> {
            __p::ToContactId::to_contact_id(&&self.0)
        }
    }
    #[automatically_derived]
    impl<'a, T> __p::ToTimestamp for Id<'a, T>
    where
        for<'__value> &'__value &'a T: __p::ToTimestamp,
    {
        fn to_timestamp(&self) -> __p::Timestamp {
            __p::ToTimestamp::to_timestamp(&&self.0)
        }
    }
};
#[allow(deprecated, unused_imports, unused_qualifications)]
const _: () = {
    use ::intercom_core::__private_0_1_0::{
        self as __p, FieldDescription::Key as __K, MetadataValue as __V,
    };
    #[automatically_derived]
    impl __V for Plan {
        type Kind = __p::kind::Text;
        const TEXTS: &'static [&'static __p::str] = &["free_trial", "on-premises"];
        #[inline]
        fn encode(
            &self,
            __encoder: __p::ValueEncoder<'_, __p::kind::Text>,
        ) -> __p::core::result::Result<__p::Written, __p::ValueError> {
            __p::ValueEncoder::text(
                __encoder,
                match self {
                    Self::FreeTrial { .. } => "free_trial",
                    Self::SelfHosted { .. } => "on-premises",
                },
            )
        }
    }
};
