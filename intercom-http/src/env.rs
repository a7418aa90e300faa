//! Reads the environment variables that describe a transport.

use std::ffi::OsString;

use crate::builder::HttpTransportBuilder;
use crate::error::BuildError;
use crate::region::Region;

/// The access token.
pub(crate) const ACCESS_TOKEN: &str = "INTERCOM_ACCESS_TOKEN";
/// The region: `us`, `eu` or `au`.
pub(crate) const REGION: &str = "INTERCOM_REGION";
/// The address of a sandbox or proxy.
pub(crate) const BASE_URL: &str = "INTERCOM_BASE_URL";

/// Creates a builder from the variables that `lookup` knows.
///
/// # Errors
///
/// Fails when the access token is missing, the region is unknown, or a variable is not text.
pub(crate) fn builder(
    lookup: impl Fn(&str) -> Option<OsString>,
) -> Result<HttpTransportBuilder, BuildError> {
    let text = |name| match lookup(name) {
        Some(value) if !value.is_empty() => match value.into_string() {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(BuildError::NotUnicode { name }),
        },
        _ => Ok(None),
    };
    let token = text(ACCESS_TOKEN)?.ok_or(BuildError::MissingVariable {
        name: ACCESS_TOKEN,
        meaning: "the access token of your app, from Intercom's developer hub",
    })?;
    let mut builder = HttpTransportBuilder::with_token(token);
    if let Some(region) = text(REGION)? {
        builder = builder.region(region.parse::<Region>()?);
    }
    if let Some(base_url) = text(BASE_URL)? {
        builder = builder.base_url(base_url);
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::HttpTransport;

    fn build(variables: &[(&str, &str)]) -> Result<HttpTransport, BuildError> {
        builder(|name| {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.into())
        })?
        .build()
    }

    #[test]
    fn the_token_alone_is_enough() {
        let shown = format!("{:?}", build(&[(ACCESS_TOKEN, "tok_1")]).unwrap());
        assert!(shown.contains("https://api.intercom.io") && shown.contains("Us"), "{shown}");
    }

    #[test]
    fn the_region_chooses_the_host() {
        let shown = format!("{:?}", build(&[(ACCESS_TOKEN, "tok_1"), (REGION, " EU ")]).unwrap());
        assert!(shown.contains("https://api.eu.intercom.io"), "{shown}");
    }

    #[test]
    fn the_base_url_counts_before_the_region() {
        let variables =
            [(ACCESS_TOKEN, "tok_1"), (REGION, "au"), (BASE_URL, "http://127.0.0.1:9000")];
        let shown = format!("{:?}", build(&variables).unwrap());
        assert!(shown.contains("http://127.0.0.1:9000") && !shown.contains("Au"), "{shown}");
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let error = build(&[(ACCESS_TOKEN, "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable `INTERCOM_ACCESS_TOKEN` is not set; set it to the access \
             token of your app, from Intercom's developer hub"
        );
        let shown =
            format!("{:?}", build(&[(ACCESS_TOKEN, "t"), (REGION, ""), (BASE_URL, "")]).unwrap());
        assert!(shown.contains("https://api.intercom.io"), "{shown}");
    }

    #[test]
    fn an_unknown_region_is_named_unless_it_may_be_a_secret() {
        let error = build(&[(ACCESS_TOKEN, "t"), (REGION, "europe")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the region `europe` is unknown; it is one of `us`, `eu` and `au`"
        );
        let token = "dG9rOmE1ZjQ5NGMwX2I2MDdfNGFhZl84Zjg2";
        let error = build(&[(ACCESS_TOKEN, "t"), (REGION, token)]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(token), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_text_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let error = builder(|_| Some(OsString::from_vec(vec![0xff, b'x']))).unwrap_err();
        assert!(error.to_string().contains(ACCESS_TOKEN), "{error}");
    }
}
