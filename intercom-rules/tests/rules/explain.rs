//! Explanations of a rule that matches, and of one that does not.

use expect_test::expect;
use intercom_rules::Rules;

use super::support::{ACME, data, dynamic, paid};

#[test]
fn an_explanation_names_each_condition_and_no_value() {
    let rules = Rules::from_toml(
        r#"
        [[rule]]
        name = "big invoices"
        on = "invoice_paid"
        when = { amount = { at_least = "1000.00 EUR" }, not = { plan = { is = "FREE", ignore_case = true } } }
        also_send = "big_invoice_paid"
        [[rule]]
        on = "invoice_paid"
        when = { coupon = { contains = "SPRING" }, seats = { between = [20, 30] } }
        drop = true
        "#,
        &ACME,
    )
    .unwrap();
    let explanation = rules.explain(&data(&paid()));
    assert!(explanation.matching().eq(["big invoices"]));
    let expected = expect![[r#"
        `big invoices` matches: amount at_least 1000.00 EUR and not (plan is "FREE" (in any case))
          amount at_least 1000.00 EUR: holds
          plan is "FREE" (in any case): does not hold
        `rule 2 on invoice_paid` does not match: coupon contains "SPRING" and seats between 20 and 30
          coupon contains "SPRING": does not hold: the event does not have the key
          seats between 20 and 30: does not hold"#]];
    expected.assert_eq(&explanation.to_string());
    let none = rules.explain(&dynamic("signed_up"));
    assert_eq!(none.to_string(), "no rule is on events of this name");
}
