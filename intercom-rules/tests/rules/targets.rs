//! Loading refuses an action whose event differs from the catalogue's type, with line and column.

use expect_test::{Expect, expect};
use intercom_core::{IntercomEvent, MetadataValue, Money, catalogue};
use intercom_rules::{Rule, Rules, key};

#[derive(IntercomEvent)]
#[event(name = "paid")]
struct Paid {
    amount: Money,
    plan: String,
    #[event(sensitive)]
    iban: String,
    coupon: Option<String>,
}

#[derive(IntercomEvent)]
#[event(name = "amount_paid")]
struct AmountPaid {
    amount: Money,
}

#[derive(IntercomEvent)]
#[event(name = "coupon_used")]
struct CouponUsed {
    #[event(rename = "Coupon")]
    coupon: String,
}

#[derive(IntercomEvent)]
#[event(name = "otherwise")]
struct Otherwise {
    amount: f64,
    plan: bool,
    iban: String,
    coupon: Option<String>,
    region: String,
}

#[derive(IntercomEvent)]
#[event(name = "paid_as_well")]
struct PaidAsWell {
    note: Option<String>,
    amount: Money,
    plan: Option<String>,
    #[event(sensitive)]
    iban: String,
    coupon: Option<String>,
}

#[derive(IntercomEvent)]
#[event(name = "noticed")]
struct Noticed;

#[derive(MetadataValue)]
#[event(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum Plan {
    Free,
    Pro,
}

#[derive(MetadataValue)]
#[event(rename_all = "lowercase")]
#[expect(dead_code, reason = "only described")]
enum PaidPlan {
    Pro,
}

#[derive(IntercomEvent)]
#[event(name = "plan_chosen")]
struct PlanChosen {
    plan: Plan,
}

#[derive(IntercomEvent)]
#[event(name = "plan_paid")]
struct PlanPaid {
    plan: PaidPlan,
}

catalogue! { static ACME: Paid, AmountPaid, CouponUsed, Otherwise, PaidAsWell, Noticed, PlanChosen, PlanPaid }

fn load(rest: &str) -> Result<Rules, String> {
    let text = format!("[[rule]]\non = \"paid\"\n{rest}");
    Rules::from_toml(&text, &ACME).map_err(|error| error.to_string())
}

fn refused(rest: &str, expected: Expect) {
    expected.assert_eq(&load(rest).unwrap_err());
}

#[test]
fn an_event_like_its_type_is_taken() {
    for rest in [
        r#"also_send = "paid_as_well""#,
        r#"rename = "paid_as_well""#,
        r#"also_send = { name = "paid_as_well", keys = ["amount", "IBAN"] }"#,
        r#"also_send = { name = "amount_paid", keys = ["Amount"] }"#,
        r#"also_send = { name = "noticed", keys = [] }"#,
        "drop = true",
    ] {
        load(rest).unwrap();
    }
}

#[test]
fn a_key_that_the_type_lacks_is_refused() {
    refused(
        r#"also_send = "amount_paid""#,
        expect![[r#"
            line 3, column 13: `paid` has keys that `amount_paid` does not have: `plan`, `iban`, `coupon`; choose the keys, as in `also_send = { name = "…", keys = ["…"] }`, or add them to the type of `amount_paid`"#]],
    );
    refused(
        r#"rename = "noticed""#,
        expect![[r#"
            line 3, column 10: `paid` has keys that `noticed` does not have: `amount`, `plan`, `iban`, `coupon`; a rename keeps all keys; use `drop = true` and `also_send` with `keys`, or add them to the type of `noticed`"#]],
    );
    refused(
        r#"also_send = [{ name = "amount_paid", keys = ["amount", "plan"] }]"#,
        expect![[r#"
            line 3, column 56: the event `amount_paid` has no key `plan`; its keys are `amount`"#]],
    );
}

#[test]
fn a_key_that_is_unlike_the_types_is_refused() {
    refused(
        r#"also_send = { name = "otherwise", keys = ["amount", "plan", "iban"] }"#,
        expect![[r#"
            line 3, column 22: `otherwise` always has the key `region`, which `paid` does not have; make it an `Option` in the type of `otherwise`
            line 3, column 43: the key `amount` is money in `paid` and a number in `otherwise`; take `amount` out of `keys`, or give both fields one kind
            line 3, column 53: the key `plan` is text in `paid` and a boolean in `otherwise`; take `plan` out of `keys`, or give both fields one kind
            line 3, column 61: the key `iban` is sensitive in `paid` and not in `otherwise`, so its values would be shown; take `iban` out of `keys`, or mark the field of `otherwise` with `#[event(sensitive)]`"#]],
    );
    refused(
        r#"rename = "otherwise""#,
        expect![[r#"
            line 3, column 10: the key `amount` is money in `paid` and a number in `otherwise`; use `drop = true` and `also_send` with `keys` without `amount`, or give both fields one kind
            line 3, column 10: the key `plan` is text in `paid` and a boolean in `otherwise`; use `drop = true` and `also_send` with `keys` without `plan`, or give both fields one kind
            line 3, column 10: the key `iban` is sensitive in `paid` and not in `otherwise`, so its values would be shown; use `drop = true` and `also_send` with `keys` without `iban`, or mark the field of `otherwise` with `#[event(sensitive)]`
            line 3, column 10: `otherwise` always has the key `region`, which `paid` does not have; make it an `Option` in the type of `otherwise`"#]],
    );
}

#[test]
fn a_text_that_the_type_does_not_have_is_refused() {
    let refused = |on: &str, to: &str| {
        let text = format!(
            "[[rule]]\non = \"{on}\"\nalso_send = {{ name = \"{to}\", keys = [\"plan\"] }}"
        );
        Rules::from_toml(&text, &ACME).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(refused("plan_paid", "plan_chosen"), Ok(()));
    expect![[r#"line 3, column 43: the key `plan` can be "free" in `plan_chosen` and not in `plan_paid`; take `plan` out of `keys`, or give both fields one type"#]]
        .assert_eq(&refused("plan_chosen", "plan_paid").unwrap_err());
    expect![[r#"line 3, column 43: the key `plan` can be any text in `paid` and not in `plan_paid`; take `plan` out of `keys`, or give both fields one type"#]]
        .assert_eq(&refused("paid", "plan_paid").unwrap_err());
}

#[test]
fn a_key_that_the_type_always_has_must_be_there() {
    refused(
        r#"also_send = { name = "paid_as_well", keys = ["amount"] }"#,
        expect![[r#"
            line 3, column 22: `paid_as_well` always has the key `iban`, which `keys` does not have; add it to `keys`, or make it an `Option` in the type of `paid_as_well`"#]],
    );
    refused(
        r#"also_send = { name = "coupon_used", keys = ["coupon"] }"#,
        expect![[r#"
            line 3, column 22: `coupon_used` always has the key `Coupon`, which `paid` may not have; add the condition `Coupon = { present = true }`, or make it an `Option` in the type of `coupon_used`"#]],
    );
}

/// A condition can make a key certain, in any combination of conditions.
#[test]
fn a_condition_can_make_a_key_certain() {
    for (when, is_certain) in [
        (r#"coupon = { present = true }"#, true),
        (r#"COUPON = "x""#, true),
        (r#"coupon = { not = "x" }"#, true),
        (r#"not = { coupon = { absent = true } }"#, true),
        (r#"not = { any = [{ coupon = { absent = true } }, { plan = "x" }] }"#, true),
        (r#"any = [{ coupon = "x" }, { plan = "y", coupon = { starts_with = "z" } }]"#, true),
        (r#"plan = "x""#, false),
        (r#"not = { coupon = "x" }"#, false),
        (r#"coupon = { absent = true }"#, false),
        (r#"any = [{ coupon = "x" }, { plan = "y" }]"#, false),
        (r#"not = { coupon = { absent = true }, plan = "x" }"#, false),
    ] {
        let action = r#"also_send = { name = "coupon_used", keys = ["coupon"] }"#;
        let loaded = load(&format!("when = {{ {when} }}\n{action}"));
        assert_eq!(loaded.is_ok(), is_certain, "{when}: {loaded:?}");
    }
}

#[test]
fn a_rule_in_code_is_checked_as_well() {
    let error = Rules::builder().rule(Rule::on("paid").rename("noticed")).build(&ACME).unwrap_err();
    assert!(error.to_string().starts_with("`paid` has keys that `noticed` does not have"));
    let rule =
        Rule::on("paid").when(key("coupon").present()).also_send_keys("coupon_used", ["coupon"]);
    Rules::builder().rule(rule).build(&ACME).unwrap();
}
