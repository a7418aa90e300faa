//! Invalid settings fail when the transport is built, with advice.

use std::time::Duration;

use intercom_http::{BuildError, HttpTransport, HttpTransportBuilder, Region};

use crate::client_builder;

fn builder() -> HttpTransportBuilder {
    HttpTransport::builder("tok_1")
}

#[test]
fn mistakes_are_found_when_building() {
    let long = "x".repeat(40);
    let cases: Vec<(HttpTransportBuilder, &str)> = vec![
        (HttpTransport::builder(""), "the access token is blank"),
        (HttpTransport::builder(" \n"), "the access token is blank"),
        (HttpTransport::builder("tok_1\n"), "the access token has a line break"),
        (HttpTransport::builder("tok_1\r\nX-Evil: 1"), "the access token has a line break"),
        (HttpTransport::builder("Bearer tok_1"), "the access token has white space"),
        (HttpTransport::builder("tok\u{0}1"), "the access token has a control character"),
        (HttpTransport::builder("tök_1"), "the access token has a character outside of ASCII"),
        (HttpTransport::builder("\"tok_1\""), "the access token has a quotation mark"),
        (HttpTransport::builder("'tok_1'"), "the access token has a quotation mark"),
        (HttpTransport::builder("${TOKEN}"), "the access token has a character of a variable"),
        (HttpTransport::builder("$TOKEN"), "the access token has a character of a variable"),
        (HttpTransport::builder("{{ token }}"), "the access token has a character of a variable"),
        (HttpTransport::builder("%TOKEN%"), "the access token has a character of a variable"),
        (HttpTransport::builder("<token>"), "the access token has a bracket"),
        (HttpTransport::builder("null"), "the access token is the word `null`"),
        (HttpTransport::builder("undefined"), "the access token is the word `undefined`"),
        (HttpTransport::builder("None"), "the access token is the word `none`"),
        (HttpTransport::basic_auth("${APP}", "key"), "the app id has a character of a variable"),
        (HttpTransport::basic_auth("app", "\"key\""), "the API key has a quotation mark"),
        (builder().base_url("https://api.intercom.io/events"), "the base URL ends in `/events`"),
        (builder().base_url("http://proxy/x/Contacts/"), "the base URL ends in `/contacts`"),
        (builder().base_url("http://proxy/me"), "the base URL ends in `/me`"),
        (HttpTransport::basic_auth("", "key"), "the app id is blank"),
        (HttpTransport::basic_auth("app", " "), "the API key is blank"),
        (HttpTransport::basic_auth("app:key", "key"), "the app id has a colon"),
        (HttpTransport::basic_auth("app", "key\n"), "the API key has a line break"),
        (builder().base_url(""), "the base URL cannot be read"),
        (builder().base_url("api.intercom.io"), "the base URL cannot be read"),
        (builder().base_url("https://{host}/"), "the base URL cannot be read"),
        (builder().base_url("ftp://api.intercom.io"), "the base URL must start with `https://`"),
        (builder().base_url("localhost:9000"), "the base URL must start with `https://`"),
        (builder().base_url("https://a@proxy"), "the base URL has a user name or password"),
        (builder().base_url("https://:b@proxy"), "the base URL has a user name or password"),
        (builder().base_url("https://proxy?a=b"), "the base URL has a query or fragment"),
        (builder().base_url("https://proxy/#a"), "the base URL has a query or fragment"),
        (builder().base_url("http://api.intercom.io"), "plain http to `api.intercom.io` would"),
        (builder().base_url("http://API.EU.INTERCOM.IO:8080/x"), "plain http to `api.eu.intercom"),
        (builder().api_version(""), "the API version cannot be sent as a header"),
        (builder().api_version("2.16\n"), "the API version cannot be sent as a header"),
        (builder().user_agent("acme\r\n"), "the user agent cannot be sent as a header"),
        (builder().timeout(Duration::ZERO), "the timeout is zero"),
        (builder().connect_timeout(Duration::ZERO), "the connect timeout is zero"),
        (HttpTransport::builder(format!("{long}\n")), "the access token has a line break"),
    ];
    for (builder, message) in cases {
        let error = builder.build().expect_err(message);
        let shown = error.to_string();
        assert!(shown.starts_with(message), "{shown}");
        assert!(!shown.ends_with('.') && shown.len() > message.len(), "{shown}");
        assert!(!format!("{shown} {error:?}").contains("tok_1"), "{error:?}");
        assert!(!format!("{shown} {error:?}").contains(&long), "{error:?}");
    }
}

#[test]
fn valid_settings_build_a_transport() {
    for builder in [
        builder(),
        builder().region(Region::Au),
        builder().base_url("http://localhost:9000"),
        builder().base_url("https://proxy.example/intercom/"),
        builder().base_url("https://events/home"),
        HttpTransport::builder("dG9rOmE1Zj-._~+/Q5NGM=="),
        builder().timeout(Duration::MAX).connect_timeout(Duration::MAX),
        builder().client(client_builder().build().unwrap()),
        HttpTransport::basic_auth("app", "key"),
    ] {
        builder.build().unwrap();
    }
}

#[test]
fn the_question_mark_works_in_a_main() {
    fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let region: Region = "mars".parse()?;
        builder().region(region).build()?;
        Ok(())
    }
    let shown = main().unwrap_err().to_string();
    assert_eq!(shown, "the region `mars` is unknown; it is one of `us`, `eu` and `au`");
}

#[test]
fn regions_are_read_and_written() {
    for (text, region) in [("us", Region::Us), (" EU\n", Region::Eu), ("Au", Region::Au)] {
        assert_eq!(text.parse::<Region>().unwrap(), region);
        assert_eq!(region.to_string(), text.trim().to_lowercase());
        assert!(region.base_url().starts_with("https://api."));
    }
    assert!("".parse::<Region>().is_err());
    let error = BuildError::from("us-east".parse::<Region>().unwrap_err());
    assert!(matches!(error, BuildError::UnknownRegion(_)));
}
