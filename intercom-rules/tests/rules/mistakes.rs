//! Loading refuses mistakes, with line and column.

use expect_test::expect;
use intercom_core::{Currency, Money, catalogue};
use intercom_rules::{Rule, Rules, key};

use super::support::{ACME, InvoicePaid};

catalogue! { static SMALL: InvoicePaid }

fn mistakes(text: &str) -> String {
    Rules::from_toml(text, &ACME).unwrap_err().to_string()
}

/// The mistake in one condition.
fn mistake(when: &str) -> String {
    let text = format!("[[rule]]\non = \"invoice_paid\"\ndrop = true\nwhen = {{ {when} }}");
    mistakes(&text)
}

#[test]
fn all_mistakes_are_said_at_once_each_with_its_place() {
    let found = mistakes(
        r#"
[[rule]]
on = "invoice_payed"
drop = true

[[rule]]
on = "invoice_paid"
when = { amunt = { at_least = "1000.00 EUR" }, seats = "12" }
also_send = "huge_invoice_paid"

[[rule]]
on = "invoice_paid"
when = { plan = { is = "free" } }

[[rule]]
drop = true

[[rules]]
"#,
    );
    expect![[r#"
        line 3, column 6: `on` names the event `invoice_payed`, which the catalogue `ACME` does not have; correct the name, or add its type to the catalogue
        line 8, column 20: the event `invoice_paid` has no key `amunt`; its keys are `amount`, `plan`, `seats`, `discount`, `first`, `coupon`, `due_date`, `invoice`, `paid_by`
        line 8, column 48: the key `seats` is a number, and `is` compares it with text, so it never holds; write a number without quotes
        line 9, column 13: `also_send` names the event `huge_invoice_paid`, which the catalogue `ACME` does not have; correct the name, or add its type to the catalogue
        line 11, column 1: the rule does nothing; add `also_send`, `rename` or `drop = true`
        line 15, column 1: the rule does not say which event it is on; add `on = "…"`
        line 18, column 3: unknown member `rules`; each rule begins with `[[rule]]`"#]]
    .assert_eq(&found);
}

#[test]
fn a_condition_that_can_never_hold_is_refused() {
    for (when, expected) in [
        (
            r#"amount = { at_least = 1000 }"#,
            "the key `amount` is money, and `at_least` compares it with a number",
        ),
        (r#"amount = { at_least = "a lot" }"#, "text has no order, so `at_least` never holds"),
        (r#"amount = { between = ["2 EUR", "1 EUR"] }"#, "the wrong way round"),
        (r#"amount = { between = ["1 EUR", "2 USD"] }"#, "two kinds or currencies"),
        (r#"plan = true"#, "the key `plan` is text, and `is` compares it with a boolean"),
        (r#"plan = { one_of = [] }"#, "`one_of` of nothing never holds"),
        (r#"plan = { absent = true }"#, "the key `plan` is never absent"),
        (
            r#"seats = { contains = "1" }"#,
            "the key `seats` is a number, and `contains` compares it with text",
        ),
        (r#"seats = { is = 1, ignore_case = true }"#, "`ignore_case` is for texts"),
        (
            r#"due_date = 1769817600"#,
            "the key `due_date` is a date, and `is` compares it with a number",
        ),
        (r#"first = { above = false }"#, "a boolean has no order"),
        (
            r#"paid_by = "cash""#,
            r#"the key `paid_by` never is "cash"; it is one of "card", "Bank Transfer""#,
        ),
        (r#"paid_by = { not = "Card" }"#, r#"the key `paid_by` never is "Card""#),
        (
            r#"paid_by = { one_of = ["card", "bank"], ignore_case = true }"#,
            r#"the key `paid_by` never is "bank""#,
        ),
        (r#"paid_by = { contains = "cheque" }"#, r#"the key `paid_by` never contains "cheque""#),
        (r#"paid_by = { starts_with = "bank" }"#, r#"the key `paid_by` never starts with "bank""#),
        (r#"plan = { like = "x" }"#, "unknown condition `like`, expected one of `is`"),
        (r#"plan = {}"#, "`plan` has no condition"),
        (r#"plan = [1]"#, "this is no value to compare with"),
        (r#"any = []"#, "`any` has no conditions"),
        (r#"any = { plan = "x" }"#, "`any` is a list of conditions"),
        (r#"due_date = 2026-01-31T12:00:00"#, "this is no value to compare with"),
        (r#"seats = { between = [1] }"#, "`between` has two limits"),
    ] {
        let found = mistake(when);
        assert!(
            found.contains(expected) && found.starts_with("line 4, column "),
            "{when}: {found}"
        );
    }
}

/// The error names only the typo, although the rule then lacks a member.
#[test]
fn a_mistake_is_reported_without_its_consequences() {
    for (rule, expected) in [
        (
            "on = \"invoice_paid\"\nalso_sned = \"signed_up\"",
            "line 3, column 1: unknown member `also_sned`",
        ),
        ("on = \"invoice_paid\"\nalso_send = 7", "line 3, column 13: `also_send` is a text"),
        ("onn = \"invoice_paid\"\ndrop = true", "line 2, column 1: unknown member `onn`"),
        ("on = \"invoice_paid\"\ndrop = 1", "line 3, column 8: `drop` is `true` or `false`"),
    ] {
        let found = mistakes(&format!("[[rule]]\n{rule}"));
        assert!(found.starts_with(expected) && found.lines().count() == 1, "{found}");
    }
    let found = mistakes("[[rule]]\non = \"invoice_paid\"\nwhen = { plan = [] }");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn a_syntax_error_has_a_line_and_a_column() {
    let found = mistakes("[[rule]]\non = invoice_paid\n");
    assert!(found.starts_with("line 2, column 6: "), "{found}");
}

#[test]
fn a_rule_cannot_rename_what_it_drops() {
    let text = "[[rule]]\non = \"invoice_paid\"\ndrop = true\nrename = \"signed_up\"";
    let expected =
        "line 4, column 10: a rule cannot both rename an event and drop it; remove one of them";
    assert_eq!(mistakes(text), expected);
}

#[test]
fn a_rule_in_code_is_checked_as_well() {
    let rule = Rule::on("invoice_paid").when(key("amount").above(Money::new(1, Currency::EUR)));
    let error =
        Rules::builder().rule(rule.clone().rename("big_invoice_paid")).build(&SMALL).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`rename` names the event `big_invoice_paid`, which the catalogue `SMALL` does not have; \
         correct the name, or add its type to the catalogue"
    );
    let error = Rules::builder().rule(rule.rename("no.dots")).build_unchecked().unwrap_err();
    assert!(error.to_string().contains("`.`"), "{error}");
    let rule = Rule::on("invoice_paid").when(key("anything").between(2, 1)).drop_event();
    assert!(Rules::builder().rule(rule).build_unchecked().is_err());
}
