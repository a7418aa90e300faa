//! The credentials as one header: the access token, or the old scheme's app id and API key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::error::BuildError;
use crate::secret::Secret;

pub(crate) enum Credentials {
    Token(Secret),
    Basic { app_id: Secret, api_key: Secret },
}

impl Credentials {
    /// Returns the `Authorization` header, marked sensitive. No `Debug` shows it, and HTTP/2 never
    /// indexes it.
    ///
    /// # Errors
    ///
    /// Fails when a part is blank or has a forbidden character.
    pub(crate) fn authorization(&self) -> Result<HeaderValue, BuildError> {
        let (which, text) = match self {
            Credentials::Token(token) => {
                const WHICH: &str = "access token";
                let token = token.reveal();
                check(
                    WHICH,
                    token,
                    "give the token alone, without `Bearer` or anything around it",
                )?;
                (WHICH, format!("Bearer {token}"))
            }
            Credentials::Basic { app_id, api_key } => {
                const WHICH: &str = "app id";
                let (app_id, api_key) = (app_id.reveal(), api_key.reveal());
                check(WHICH, app_id, "give the app id alone")?;
                check("API key", api_key, "give the API key alone")?;
                if app_id.contains(':') {
                    return Err(BuildError::InvalidCredential {
                        which: WHICH,
                        character: "a colon",
                        advice: "give app id and API key apart",
                    });
                }
                (WHICH, format!("Basic {}", STANDARD.encode(format!("{app_id}:{api_key}"))))
            }
        };
        let mut header =
            HeaderValue::try_from(text).map_err(|_| BuildError::InvalidHeader { which })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Token(token) => write!(f, "Bearer {token}"),
            Credentials::Basic { api_key, .. } => write!(f, "Basic {api_key}"),
        }
    }
}

/// Words that scripts print for a missing value.
const PLACEHOLDERS: [&str; 5] = ["null", "none", "nil", "undefined", "NaN"];

/// The characters of quotes and placeholders. A bearer token has none of these (RFC 6750,
/// `b64token`).
const NOT_IN_TOKENS: [char; 13] =
    ['"', '\'', '`', '$', '{', '}', '%', '<', '>', '[', ']', '(', ')'];

fn check(which: &'static str, text: &str, advice: &'static str) -> Result<(), BuildError> {
    if text.trim().is_empty() {
        return Err(BuildError::BlankCredential { which });
    }
    if let Some(word) = PLACEHOLDERS.into_iter().find(|word| text.eq_ignore_ascii_case(word)) {
        return Err(BuildError::PlaceholderCredential { which, word });
    }
    let character = match text.chars().find(|c| !c.is_ascii_graphic() || NOT_IN_TOKENS.contains(c))
    {
        None => return Ok(()),
        Some('"' | '\'' | '`') => "a quotation mark",
        Some('$' | '{' | '}' | '%') => "a character of a variable that was not replaced",
        Some('<' | '>' | '[' | ']' | '(' | ')') => "a bracket",
        Some('\n' | '\r') => "a line break",
        Some(c) if c.is_whitespace() => "white space",
        Some(c) if c.is_ascii() => "a control character",
        Some(_) => "a character outside of ASCII",
    };
    Err(BuildError::InvalidCredential { which, character, advice })
}
