//! The expansions of a few representative inputs, as formatted files to review.
//!
//! `UPDATE_EXPECT=1 cargo test -p intercom-derive` rewrites them. Review the diff before you
//! commit.

use expect_test::{ExpectFile, expect_file};
use syn::parse_quote;

use crate::derive;
use crate::model::Target;

fn check(input: &syn::DeriveInput, target: Target, expected: &ExpectFile) {
    let file = syn::parse2(derive(input, target)).expect("the expansion is Rust");
    expected.assert_eq(&prettyplease::unparse(&file));
}

#[test]
fn a_struct_as_in_the_readme() {
    let input = parse_quote! {
        /// Somebody began a project.
        #[event(name = "project_created")]
        struct ProjectCreated {
            /// The number in the project's address.
            project_id: u64,
            project_name: String,
        }
    };
    check(&input, Target::Event, &expect_file!["../snapshots/struct.rs"]);
}

#[test]
fn an_enum_with_roles_and_every_way_to_a_value() {
    let input = parse_quote! {
        #[event(rename_all = "UPPERCASE", crate = facade::intercom)]
        enum Invoice<'a, T: Clone> {
            #[event(name = "invoice_paid", max_keys = 11, also = big_invoice, was = "paid")]
            Paid {
                #[event(user_id)]
                customer: u64,
                #[event(created_at)]
                at: Option<SystemTime>,
                amount: T,
                due_date: Option<Timestamp>,
                stripe_invoice: &'a str,
                #[event(truncate, sensitive)]
                note: &'a str,
                #[event(display)]
                place: Option<Place>,
                #[event(with = minutes)]
                lasted: Duration,
                #[event(with = minutes)]
                paused: Option<Duration>,
                #[event(flatten)]
                plan: Plan<'a>,
                #[event(skip)]
                trace: Vec<u8>,
            },
            #[event(name = "invoice_lost")]
            Lost {
                #[event(email)]
                address: &'a str,
            },
        }
    };
    check(&input, Target::Event, &expect_file!["../snapshots/enum.rs"]);
}

#[test]
fn values() {
    let newtype = parse_quote! {
        struct Id<'a, T>(&'a T, PhantomData<fn()>);
    };
    let choice = parse_quote! {
        #[event(rename_all = "snake_case")]
        enum Plan {
            FreeTrial,
            #[event(rename = "on-premises")]
            SelfHosted,
        }
    };
    let mut file = String::new();
    for input in [newtype, choice] {
        let output = syn::parse2(crate::value::derive(&input)).expect("the expansion is Rust");
        file += &prettyplease::unparse(&output);
    }
    expect_file!["../snapshots/values.rs"].assert_eq(&file);
}

#[test]
fn mistakes_go_out_with_an_inert_implementation() {
    let input = parse_quote! {
        #[event(nmae = "project_created")]
        struct ProjectCreated {
            r#type: u64,
        }
    };
    check(&input, Target::Event, &expect_file!["../snapshots/mistakes.rs"]);
}
