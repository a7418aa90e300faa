//! The currencies of ISO 4217.

use std::fmt;
use std::str::FromStr;

/// A currency of ISO 4217, by its alphabetic code.
///
/// Codes withdrawn in recent years remain, because old amounts still use them.
///
/// ```
/// use intercom_core::Currency;
///
/// assert_eq!("eur".parse(), Ok(Currency::EUR));
/// assert_eq!(Currency::JPY.minor_unit_digits(), Some(0));
/// assert!("euro".parse::<Currency>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    minor_unit_digits: Option<u8>,
}

impl Currency {
    /// Returns the three capital letters of the code.
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// Returns the number of decimal digits of the minor unit: 2 for cents, 0 without a minor unit.
    /// Returns `None` for codes that are not money in the usual sense, such as gold.
    pub const fn minor_unit_digits(self) -> Option<u8> {
        self.minor_unit_digits
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// A text that is not a currency code of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code of ISO 4217: expected three letters, such as `EUR`")]
#[non_exhaustive]
pub struct UnknownCurrency {}

/// A `main` that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for UnknownCurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    /// Finds a currency by its code, in upper or lower case. Fails when no currency has the code.
    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        Currency::all()
            .iter()
            .find(|currency| currency.code.eq_ignore_ascii_case(text))
            .copied()
            .ok_or(UnknownCurrency {})
    }
}

macro_rules! currencies {
    ($($digits:expr => $($code:ident)*;)*) => {
        #[allow(missing_docs, reason = "a currency's code is its name")]
        impl Currency {
            $($(
                pub const $code: Currency =
                    Currency { code: stringify!($code), minor_unit_digits: $digits };
            )*)*

            /// Returns every currency of this list.
            pub const fn all() -> &'static [Currency] {
                &[$($(Currency::$code,)*)*]
            }
        }
    };
}

// By the digits of the minor unit, then by code.
currencies! {
    Some(2) =>
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK
        NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD
        SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD
        XCG YER ZAR ZMW ZWG ZWL;
    Some(0) =>
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF;
    Some(3) =>
        BHD IQD JOD KWD LYD OMR TND;
    Some(4) =>
        CLF UYW;
    None =>
        XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX;
}
