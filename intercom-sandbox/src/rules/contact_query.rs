//! The query of a contact search: filters, and groups of filters.

use super::{Findings, Member, Members};
use crate::contacts::search::{Field, Filter, Kind, Operand, Operator, Query};
use crate::json::Json;
use crate::version::ApiVersion;

/// The limit of filters or groups in one group; Intercom's.
const MAX_FILTERS: usize = 15;

/// The depth of nested groups: filters in groups in a group. Intercom's example of "two nested
/// filters" has this depth.
const MAX_DEPTH: usize = 2;

/// Reads a query, or reports all its mistakes and returns `None`.
pub(super) fn read_query(
    query: Json<'_>,
    version: ApiVersion,
    findings: &mut Findings,
) -> Option<Query> {
    read("query", query, 1, version, findings)
}

fn read(
    path: &str,
    query: Json<'_>,
    depth: usize,
    version: ApiVersion,
    findings: &mut Findings,
) -> Option<Query> {
    let mut members = match query {
        Json::Object(members) => Members { members },
        other => {
            findings
                .malformed(path, format!("{path} must be an object and is {}", other.kind()))
                .hint("Send a filter of field, operator and value, or a group of filters.");
            return None;
        }
    };
    let operator_path = format!("{path}.operator");
    let operator = match members.take("operator", findings) {
        Member::Given(Json::String(operator)) => operator,
        Member::Given(other) => {
            findings
                .malformed(
                    &operator_path,
                    format!("{operator_path} must be a string and is {}", other.kind()),
                )
                .hint(operators());
            return None;
        }
        Member::Refused => return None,
        Member::Absent => {
            findings
                .missing(&operator_path, format!("{operator_path} is required"))
                .hint(operators());
            return None;
        }
    };
    match &*operator {
        "AND" => read_group(path, members, depth, version, findings).map(Query::All),
        "OR" => read_group(path, members, depth, version, findings).map(Query::Any),
        operator => read_filter(path, members, operator, version, findings).map(Query::Filter),
    }
}

fn read_group(
    path: &str,
    mut members: Members<'_>,
    depth: usize,
    version: ApiVersion,
    findings: &mut Findings,
) -> Option<Vec<Query>> {
    let value_path = format!("{path}.value");
    if depth > MAX_DEPTH {
        findings
            .broken_rule(path, format!("groups can be nested {MAX_DEPTH} deep"))
            .hint("Write the query as (1 OR 2) AND (3 OR 4), or search twice.");
        return None;
    }
    let queries = match members.take("value", findings) {
        Member::Given(Json::Array(queries)) if !queries.is_empty() => queries,
        Member::Refused => return None,
        Member::Absent | Member::Given(_) => {
            findings
                .malformed(&value_path, format!("{value_path} must be an array of filters"))
                .hint("AND and OR join filters; to compare a field with one value use =.");
            return None;
        }
    };
    if queries.len() > MAX_FILTERS {
        findings
            .broken_rule(
                &value_path,
                format!("{value_path} has {} filters and can have {MAX_FILTERS}", queries.len()),
            )
            .hint("Compare one field with many values by IN, or send several searches.");
        return None;
    }
    // Reads all queries before it rejects one, so that it reports all mistakes.
    let queries: Vec<_> = queries
        .into_iter()
        .enumerate()
        .map(|(place, query)| {
            read(&format!("{value_path}[{place}]"), query, depth + 1, version, findings)
        })
        .collect();
    queries.into_iter().collect()
}

fn read_filter(
    path: &str,
    mut members: Members<'_>,
    operator: &str,
    version: ApiVersion,
    findings: &mut Findings,
) -> Option<Filter> {
    let field = read_field(path, &mut members, findings);
    let known =
        Operator::ALL.iter().find_map(|(text, known)| (*text == operator).then_some(*known));
    let operator_path = format!("{path}.operator");
    if known.is_none() {
        findings
            .malformed(&operator_path, format!("{operator} is not an operator of a search"))
            .hint(operators());
    }
    let value_path = format!("{path}.value");
    let value = match members.take("value", findings) {
        Member::Given(value) => Some(value),
        Member::Refused => None,
        Member::Absent => {
            findings
                .missing(&value_path, format!("{value_path} is required"))
                .hint("Send the value to compare with; null finds contacts without a value.");
            None
        }
    };
    let (field, known, value) = (field?, known?, value?);
    if !known.fits(field.kind(), version) {
        findings
            .malformed(&operator_path, format!("{operator} does not compare a field of this type"))
            .hint(
                "Times take =, > and < (with `Intercom-Version: Preview` also !=, >= and <=), tags \
                 = and !=, numbers >, >=, < and <=, strings ~, !~, ^ and $.",
            );
        return None;
    }
    let operands = read_operands(&value_path, value, field.kind(), known, findings)?;
    Some(Filter { field, operator: known, operands, by_day: !version.searches_to_the_second() })
}

fn read_field(path: &str, members: &mut Members<'_>, findings: &mut Findings) -> Option<Field> {
    let path = format!("{path}.field");
    match members.take("field", findings) {
        Member::Given(Json::String(name)) => {
            let field = Field::named(&name);
            if field.is_none() {
                findings.malformed(&path, format!("{name} is not a field of a contact")).hint(
                    format!(
                        "A custom attribute is the field custom_attributes.{name}; the user id is \
                         external_id."
                    ),
                );
            }
            field
        }
        Member::Refused => None,
        Member::Given(other) => {
            findings
                .malformed(&path, format!("{path} must be a string and is {}", other.kind()))
                .hint("Name a field of a contact, email for example.");
            None
        }
        Member::Absent => {
            findings
                .missing(&path, format!("{path} is required"))
                .hint("Name a field of a contact, email for example.");
            None
        }
    }
}

fn read_operands(
    path: &str,
    value: Json<'_>,
    kind: Kind,
    operator: Operator,
    findings: &mut Findings,
) -> Option<Vec<Operand>> {
    let values = match (value, operator.takes_list()) {
        (Json::Array(values), true) => values,
        (other, true) => {
            findings
                .malformed(path, format!("{path} must be an array and is {}", other.kind()))
                .hint("IN and NIN take an array of values; for one value use = or !=.");
            return None;
        }
        (value, false) => vec![value],
    };
    let before = findings.problems.len();
    let operands = values
        .into_iter()
        .filter_map(|value| {
            let given = value.kind();
            let operand = read_operand(value, kind, operator);
            if operand.is_none() {
                findings
                    .malformed(path, format!("{path} must be {} and is {given}", expected(kind)))
                    .hint("Send the value in the type of the field.");
            }
            operand
        })
        .collect();
    (findings.problems.len() == before).then_some(operands)
}

/// Reads a value in the field's type. A time can also be a string of digits, as in Intercom's own
/// example.
fn read_operand(value: Json<'_>, kind: Kind, operator: Operator) -> Option<Operand> {
    let ordered = operator.is_ordered();
    let equal = matches!(operator, Operator::Equals | Operator::Differs);
    match (value, kind) {
        (Json::Null, _) if equal => Some(Operand::Null),
        (Json::String(text), Kind::Date) => {
            text.parse().ok().map(|seconds: i64| Operand::Number(seconds as f64))
        }
        (Json::String(text), Kind::Custom) if ordered => {
            text.parse().ok().filter(|number: &f64| number.is_finite()).map(Operand::Number)
        }
        (Json::String(text), Kind::Role) => {
            matches!(&*text, "user" | "lead").then(|| Operand::Text(text.into_owned()))
        }
        (Json::String(text), Kind::Text | Kind::Owner | Kind::Tag | Kind::Custom) => {
            Some(Operand::Text(text.into_owned()))
        }
        (Json::Number(number), Kind::Owner | Kind::Tag) if number.is_u64() => {
            Some(Operand::Text(number.to_string()))
        }
        (Json::Number(number), Kind::Date | Kind::Custom) => number.as_f64().map(Operand::Number),
        (Json::Bool(flag), Kind::Flag | Kind::Custom) => Some(Operand::Flag(flag)),
        _ => None,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "a string",
        Kind::Role => "user or lead",
        Kind::Owner | Kind::Tag => "an id",
        Kind::Date => "a time in Unix seconds",
        Kind::Flag => "a boolean",
        Kind::Custom => "a string, a number or a boolean",
    }
}

fn operators() -> String {
    let mut hint = "The operators are AND and OR for groups, and for fields".to_owned();
    for (text, _) in Operator::ALL {
        hint.push(' ');
        hint.push_str(text);
    }
    hint.push('.');
    hint
}
