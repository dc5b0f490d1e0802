//! The examples and counter-examples of the GraphQL specification (September 2025), as tables: section 2 on the
//! language, section 5 on validation, over the schema of section 5 with what its text asks for besides.

use documents::{Suggestions, TypeSystem, parse};

const PETS: &str = include_str!("pets.graphql");

fn pets() -> TypeSystem {
    TypeSystem::new(PETS, &[]).expect("a schema")
}

/// The first fault of a document, if it has one.
fn fault(types: &TypeSystem, document: &str) -> Option<String> {
    let parsed = match parse(document) {
        Ok(parsed) => parsed,
        Err(fault) => return Some(fault.message),
    };
    let faults = types.validate(parsed, Suggestions::Given).err()?;
    Some(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join(" "))
}

/// Checks each line of a table: `+` begins a valid document, `-` an invalid one, `#` a section.
fn check(table: &str) -> usize {
    let (types, mut section, mut wrong, mut count) = (pets(), "", Vec::new(), 0);
    for line in table.lines().filter(|line| !line.is_empty()) {
        let (mark, document) = line.split_at(1);
        let found = fault(&types, document.trim_start_matches(' '));
        match mark {
            "#" => section = line,
            "+" => wrong.extend(found.map(|message| format!("{section}\n  valid: {document}\n  {message}"))),
            "-" if found.is_none() => wrong.push(format!("{section}\n  invalid: {document}")),
            _ => {}
        }
        count += usize::from(mark != "#");
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    count
}

#[test]
fn the_examples_of_section_2_are_parsed_and_refused_as_it_says() {
    assert!(check(include_str!("language.txt")) > 70);
}

#[test]
fn the_examples_of_section_5_are_valid_and_invalid_as_it_says() {
    assert!(check(include_str!("validation.txt")) > 200);
}

/// Messages have the wording of graphql-js, and say where.
#[test]
fn each_fault_is_told_in_the_words_of_graphql_js() {
    let types = pets();
    for (document, message) in [
        ("{ dog { name }", "Syntax Error: Expected Name, found <EOF>."),
        ("{ dog(: 1) }", "Syntax Error: Expected Name, found \":\"."),
        ("", "Syntax Error: Unexpected <EOF>."),
        ("{ dog { nam } }", "Cannot query field \"nam\" on type \"Dog\". Did you mean \"name\"?"),
        (
            "{ pet { barkVolume } }",
            "Cannot query field \"barkVolume\" on type \"Pet\". Did you mean to use an inline fragment on \"Dog\"?",
        ),
        ("{ dog }", "Field \"dog\" of type \"Dog\" must have a selection of subfields. Did you mean \"dog { ... }\"?"),
        (
            "query ($a: Int) { arguments { booleanArgField(booleanArg: $a) } }",
            "Variable \"$a\" of type \"Int\" used in position expecting type \"Boolean\".",
        ),
        (
            "{ dog { doesKnowCommand(dogCommand: SITT) } }",
            "Value \"SITT\" does not exist in \"DogCommand\" enum. Did you mean the enum value \"SIT\"?",
        ),
        (
            "{ dog { name: nickname name } }",
            "Fields \"name\" conflict because \"nickname\" and \"name\" are different fields. Use different aliases on \
             the fields to fetch both if this was intentional.",
        ),
        (
            "{ findDog(searchBy: { name: \"a\", name: \"b\" }) { name } }",
            "There can be only one input field named \"name\".",
        ),
    ] {
        assert_eq!(fault(&types, document).as_deref(), Some(message), "{document}");
    }
}

#[test]
fn each_fault_has_its_place() {
    let types = pets();
    for (document, line, column) in [
        ("{\n  dog {\n    é\n", 3, 5),
        ("{\r\n  dog {\r    nope } }", 3, 5),
        ("# é\n{ dog { name(a: \"\"\"é\n\"\"\", b: 1) } }", 2, 14),
        ("\"é\" query Q($a: Int) { dog { name } }", 1, 13),
    ] {
        let faults = match parse(document) {
            Ok(parsed) => types.validate(parsed, Suggestions::Withheld).expect_err("a fault"),
            Err(fault) => vec![fault],
        };
        let place = faults[0].locations[0];
        assert_eq!((place.line, place.column), (line, column), "{document}: {}", faults[0].message);
        assert!(!faults[0].message.contains("Did you mean"), "{}", faults[0].message);
    }
}
