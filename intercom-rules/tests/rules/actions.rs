//! The effects of rules on an event, and the meaning of conditions.

use intercom_core::{Currency, DataEvent, Money};
use intercom_rules::{Condition, Rule, Rules, key};

use super::support::{ACME, DUE, SignedUp, data, dynamic, paid};

/// Returns whether these conditions hold for the invoice.
fn holds(when: &str) -> bool {
    let text = format!("[[rule]]\non = \"invoice_paid\"\nwhen = {{ {when} }}\ndrop = true");
    let rules = Rules::from_toml(&text, &ACME).unwrap();
    rules.apply(&data(&paid())).is_some()
}

#[test]
fn conditions_hold_by_the_kind_of_their_key() {
    for (when, expected) in [
        (r#"plan = "Größe \"XL\"""#, true),
        (r#"plan = "größe \"xl\"""#, false),
        (r#"plan = { is = "GRÖSSE", ignore_case = true }"#, false),
        (r#"plan = { is = "GRÖßE \"xl\"", ignore_case = true }"#, true),
        (r#"plan = { not = "free" }"#, true),
        (r#"plan = { one_of = ["free", "Größe \"XL\""] }"#, true),
        (r#"plan = { contains = "\"X" }"#, true),
        (r#"plan = { contains = "\"x" }"#, false),
        (r#"plan = { contains = "\"x", ignore_case = true }"#, true),
        (r#"plan = { starts_with = "Gr", not = "Große" }"#, true),
        (r#"plan = { starts_with = "gRÖ", ignore_case = true }"#, true),
        (r#"invoice = { starts_with = "https://acme.example/" }"#, true),
        (r#"invoice = "No. 7""#, false),
        (r#"amount = { at_least = "1500.00 EUR" }"#, true),
        (r#"amount = { above = "1500.00 EUR" }"#, false),
        (r#"amount = { at_least = "1.00 USD" }"#, false),
        (r#"amount = { below = "1.00 USD" }"#, false),
        (r#"amount = { not = "1500.00 USD" }"#, true),
        (r#"amount = { between = ["1 EUR", "1500 EUR"] }"#, true),
        ("seats = 12", true),
        ("seats = { above = 11.5, below = 12.5 }", true),
        ("seats = { between = [13, 99] }", false),
        ("seats = { one_of = [1, 0xC] }", true),
        ("discount = 0.25", true),
        ("discount = { at_most = 0 }", false),
        (r#"paid_by = "Bank Transfer""#, true),
        (r#"paid_by = { one_of = ["card", "BANK TRANSFER"], ignore_case = true }"#, true),
        (r#"paid_by = { starts_with = "Bank" }"#, true),
        (r#"paid_by = "card""#, false),
        ("first = true", true),
        ("first = { not = true }", false),
        ("due_date = 2026-01-31", true),
        ("due_date = { above = 2026-01-30T23:59:59Z, at_most = 2026-01-31T01:00:00+01:00 }", true),
        ("due_date = { below = 2026-01-31 }", false),
        ("coupon = { absent = true }", true),
        ("coupon = { present = true }", false),
        ("coupon = { present = false }", true),
        // A condition on an absent key does not hold.
        (r#"coupon = { not = "x" }"#, false),
        (r#"not = { coupon = "x" }"#, true),
        (r#"any = [{ seats = 1 }, { first = true, seats = 12 }]"#, true),
        (r#"any = [{ seats = 1 }, { first = true, seats = 13 }]"#, false),
        (r#"all = [{ seats = 12 }, { not = { first = false } }]"#, true),
        (r#"keys = { seats = 12 }, first = true"#, true),
    ] {
        assert_eq!(holds(when), expected, "{when}");
    }
}

#[test]
fn a_derived_event_has_the_contact_the_second_and_the_metadata_of_its_cause() {
    let rules = Rules::from_toml(
        r#"
        [[rule]]
        on = "Invoice_Paid"
        when = { amount = { at_least = "1000.00 EUR" }, plan = { not = "free" } }
        also_send = ["big_invoice_paid", { name = "signed_up", keys = ["seats", "PLAN"] }]
        [[rule]]
        on = "invoice_paid"
        also_send = { name = "signed_up", keys = [] }
        "#,
        &ACME,
    )
    .unwrap();
    let event = data(&paid());
    let applied = rules.apply(&event).unwrap();
    assert!(applied.renamed.is_none() && applied.dropped_by.is_none());
    let [big, some, none] = &applied.derived[..] else { panic!("{applied:?}") };
    for derived in [big, some, none] {
        assert_eq!(derived.contact(), event.contact());
        assert_eq!(derived.created_at(), event.created_at());
        assert_eq!(&DataEvent::from_body(derived.body().clone()).unwrap(), derived);
    }
    assert_eq!((big.event_name().as_str(), big.metadata()), ("big_invoice_paid", event.metadata()));
    let metadata = r#"{"plan":"Größe \"XL\"","seats":12}"#;
    assert_eq!(
        (some.event_name().as_str(), some.metadata()),
        ("signed_up", Some(metadata.as_bytes()))
    );
    assert_eq!(none.metadata(), None);
    let body = r#"{"event_name":"signed_up","created_at":1770000000,"user_id":"42","email":"ada@example.com"}"#;
    assert_eq!(none.body(), body);
}

#[test]
fn the_first_rule_that_renames_or_drops_counts() {
    let rules = Rules::from_toml(
        r#"
        rule = [
            { on = "invoice_paid", when = { seats = 13 }, rename = "signed_up" },
            { on = "invoice_paid", when = { seats = 12 }, rename = "big_invoice_paid" },
            { on = "invoice_paid", rename = "signed_up" },
            { on = "invoice_paid", when = { first = false }, drop = true, name = "later ones" },
        ]
        "#,
        &ACME,
    )
    .unwrap();
    let applied = rules.apply(&data(&paid())).unwrap();
    assert_eq!(applied.renamed.unwrap().event_name(), "big_invoice_paid");
    let later = super::support::InvoicePaid { first: false, ..paid() };
    let applied = rules.apply(&data(&later)).unwrap();
    assert!(applied.renamed.is_none());
    assert_eq!(applied.dropped_by.as_deref(), Some("later ones"));
    assert!(rules.apply(&data(&SignedUp::default())).is_none());
    assert!(rules.apply(&dynamic("Invoice_Paid")).is_some());
}

/// An event from another program: spaces, escapes, another case, repeated keys.
#[test]
fn an_event_of_any_origin_meets_the_rules() {
    let rules = Rules::builder()
        .rule(
            Rule::on("menü_geöffnet").when(key("Plan").is("pro") & key("seats").is(2)).drop_event(),
        )
        .build_unchecked()
        .unwrap();
    let body = |metadata: &str| {
        let body = format!(
            r#"{{ "metadata": {metadata}, "user_id":"1", "created_at" : 5, "event_name":"MENÜ_GEÖFFNET"}}"#
        );
        DataEvent::from_body(body).unwrap()
    };
    let matches = |metadata: &str| rules.apply(&body(metadata)).is_some();
    assert!(matches(r#"{ "pl\u0061n" : "\u0070ro" , "SEATS": 2.0 }"#));
    assert!(matches(r#"{"plan":"free","plan":"pro","seats":2,"nested":{"seats":3}}"#));
    assert!(!matches(r#"{"plan":"pro","seats":"2"}"#));
    assert!(!matches(r#"{"plan":null,"seats":2}"#));
    assert!(!matches("{}"));
    let decomposed = r#"{"user_id":"1","created_at":5,"event_name":"menu\u0308_geo\u0308ffnet","metadata":{"plan":"pro","seats":2}}"#;
    assert!(rules.apply(&DataEvent::from_body(decomposed).unwrap()).is_some());
}

#[test]
fn both_ways_to_write_a_rule_are_one() {
    let text = r#"
        [[rule]]
        name = "big"
        on = "invoice_paid"
        when = { amount = { at_least = "1000.00 EUR" }, plan = { starts_with = "gr", ignore_case = true }, due_date = { at_most = 2026-01-31 }, any = [{ seats = 1 }, { coupon = { absent = true } }] }
        drop = true
    "#;
    let from_toml = Rules::from_toml(text, &ACME).unwrap();
    let condition = key("amount").at_least(Money::new(100_000, Currency::EUR))
        & key("plan").starts_with("gr").ignore_case()
        & key("due_date").at_most(DUE)
        & Condition::any([key("seats").is(1), key("coupon").absent()]);
    let rule = Rule::on("invoice_paid").name("big").when(condition).drop_event();
    let built = Rules::builder().rule(rule).build(&ACME).unwrap();
    let event = data(&paid());
    let [one, other] = [&from_toml, &built].map(|rules| rules.explain(&event));
    let mut conditions = [&one, &other].map(|explanation| {
        let reasons = &explanation.rules[0].reasons;
        reasons.iter().map(|reason| (reason.condition.clone(), reason.holds)).collect::<Vec<_>>()
    });
    conditions.iter_mut().for_each(|all| all.sort());
    assert_eq!(conditions[0], conditions[1]);
    assert!(one.rules[0].matches && other.rules[0].matches);
}
