"""The rules of a plan: which names are taken, what they become, and what is refused as a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from migrate_place import Place, actions, filled, only, place, renames
from plan_transforms import failing, no_text, reversed_text, twice

from secretbridge import InvalidRequest, Violation, migrate
from secretbridge.migrate import Rules

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["place"]


def violations(**rules: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        Rules(**rules)
    return [(one.field, one.problem) for one in caught.value.violations]


@pytest.mark.parametrize(
    ("select", "exclude", "taken"),
    [
        ((), (), ["STRIPE_KEY", "STRIPE_URL", "SMTP", "smtp"]),
        ("STRIPE_*", (), ["STRIPE_KEY", "STRIPE_URL"]),
        (["S?TP", "re:URL$"], (), ["STRIPE_URL", "SMTP"]),
        ("re:(?i)^smtp$", (), ["SMTP", "smtp"]),
        ("re:KEY|URL", "*_URL", ["STRIPE_KEY"]),
        ((), ["re:^S", "nothing"], ["smtp"]),
        ("[A-R]*", "*", []),
    ],
)
def test_globs_match_whole_names_and_expressions_are_searched(
    place: Place, select: Any, exclude: Any, taken: list[str]
) -> None:
    source = place.env(STRIPE_KEY="1", STRIPE_URL="2", SMTP="3", smtp="4")
    if not taken:
        with pytest.raises(InvalidRequest, match="selects nothing at the source"):
            migrate.plan(source, place.json(), select=select)
        return
    assert list(actions(migrate.plan(source, place.json(), select=select, exclude=exclude))) == taken


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ({}, "stripeKey-live"),
        ({"rename": "old_{name}_x"}, "old_stripeKey-live_x"),
        ({"rename": {"stripeKey-live": "KEY"}, "case": "upper", "prefix": "P_"}, "KEY"),
        ({"case": "upper"}, "STRIPEKEY-LIVE"),
        ({"rename": "{name}.toml"}, "stripeKey-live.toml"),
        ({"case": "lower"}, "stripekey-live"),
        ({"case": "snake"}, "stripe_key_live"),
        ({"case": "upper_snake"}, "STRIPE_KEY_LIVE"),
        ({"prefix": "app_", "case": "upper"}, "app_STRIPEKEY-LIVE"),
        ({"rename": "x{name}", "case": "upper_snake", "prefix": "p_"}, "p_XSTRIPE_KEY_LIVE"),
    ],
)
def test_a_name_goes_through_template_case_and_prefix_and_one_in_a_table_through_none(
    place: Place, rules: dict[str, Any], name: str
) -> None:
    plan = migrate.plan(place.env(**{"stripeKey-live": "1"}), place.json(), **rules)
    assert renames(plan) == {"stripeKey-live": name}


def test_a_table_and_all_rules_may_stand_in_toml(place: Place) -> None:
    names, rules = place.folder / "names.toml", place.folder / "rules.toml"
    names.write_text('KEY = "STRIPE"\n')
    rules.write_text(
        'select = "K*"\non_conflict = "skip"\naccept = ["expiry"]\n\n[rename]\nKEY = "FROM_RULES"\n'
    )
    source = place.env(KEY="1", OTHER="2")
    by_table = migrate.plan(source, place.json(), rename=names)
    by_text = migrate.plan(source, place.json(), rename=str(names))
    by_rules = migrate.plan(source, place.json(), rules=rules)
    mixed = migrate.plan(source, place.json(), rules=str(rules), rename="X_{name}", on_conflict="update")
    assert [renames(plan) for plan in (by_table, by_text, by_rules, mixed)] == [
        {"KEY": "STRIPE", "OTHER": "OTHER"},
        {"KEY": "STRIPE", "OTHER": "OTHER"},
        {"KEY": "FROM_RULES"},
        {"KEY": "X_KEY"},
    ]
    assert (mixed.rules.on_conflict, mixed.rules.accept) == ("update", ("expiry",))


def test_rules_may_be_given_as_rules_or_a_mapping(place: Place) -> None:
    source = place.env(KEY="1")
    plans = [
        migrate.plan(source, place.json(), rules=rules) for rules in (Rules(case="lower"), {"case": "lower"})
    ]
    assert [renames(plan) for plan in plans] == [{"KEY": "key"}] * 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a = \nb = 1", "is not TOML in line 1"), (None, "cannot be read: No such file or directory")],
)
def test_a_toml_file_that_cannot_be_read_is_refused_by_line(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    path = tmp_path / "rules.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidRequest) as caught:
        Rules.of(path)
    assert [one.problem for one in caught.value.violations] == [problem]


def test_everything_that_is_wrong_with_the_rules_is_named_at_once() -> None:
    assert violations(
        select=["re:(", "", 3],
        exclude=4,
        rename="no name",
        case="camel",
        prefix=1,
        transform=lambda value: value,
        on_conflict="overwrite",
        accept=["descriptions", "platform"],
        environments={"production": "PROD"},
    ) == [
        ("select", "'re:(' is no regular expression: missing ), unterminated subpattern"),
        ("select", "is empty or not a text"),
        ("select", "is empty or not a text"),
        ("exclude", "is neither a pattern nor a list of them"),
        ("rename", "'no name' does not hold {name} once"),
        ("case", "'camel' is not known"),
        ("prefix", "is not a text"),
        ("transform", "is no callable with a name"),
        ("on_conflict", "'overwrite' is not known"),
        ("accept", "'descriptions' is nothing to consent to"),
        ("accept", "'platform' is nothing to consent to"),
        ("environments.production", "'PROD' does not hold {name} once"),
    ]


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"rename": {"A": "X", "B": "X", "C": "Y"}}, ("rename", "maps 'A' and 'B' to one name, 'X'")),
        ({"rename": {"A": ""}}, ("rename", "maps 'A' to no name")),
        ({"rename": 3}, ("rename", "is neither a template nor a mapping")),
        ({"accept": 3}, ("accept", "is not a list of words")),
        ({"accept": [["x"]]}, ("accept", "['x'] is nothing to consent to")),
        ({"environments": "x"}, ("environments", "is not a mapping of environments to templates")),
        ({"environments": {"x": 1}}, ("environments.x", "is not a text")),
        ({"transform": "plan_transforms"}, ("transform", "'plan_transforms' is no place of a function")),
        ({"transform": "json:x"}, ("transform", "'json:x' cannot be loaded: AttributeError")),
        ({"transform": "no_such:x"}, ("transform", "'no_such:x' cannot be loaded: ModuleNotFoundError")),
        ({"transform": "plan_transforms:__doc__"}, ("transform", "is no callable with a name")),
        ({"transform": {"": reversed_text}}, ("transform", "is empty or not a text")),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_named(rules: dict[str, Any], problem: tuple[str, str]) -> None:
    assert violations(**rules) == [problem]


def test_a_word_that_is_not_known_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Rules.of({"on_conflcit": "skip", "accept": "expires"})
    remedies = [(one.field, one.remedy.partition(";")[0]) for one in caught.value.violations]
    assert remedies == [
        ("on_conflcit", ("on_conflict is meant? known are select, exclude, rename, case, prefix, transform,"
         " on_conflict, accept, environments")),
        ("accept", ("expired is meant? known are description, expiry, expired, inactive, protected,"
         " tool_binding, versions, environments, one_way")),
    ]  # fmt: skip


def test_rules_that_are_no_rules_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Rules.of(3)  # type: ignore[arg-type]  # what the test is about
    assert caught.value.violations == (
        Violation("rules", "is neither a mapping nor a path", "give the path of a TOML file"),
    )


def test_values_go_through_the_first_transform_whose_pattern_matches(place: Place) -> None:
    source = place.env(A="abc", B="abc", C="abc")
    target = place.json(A="cba", B="abcabc", C="abc")
    transform: Any = {"A": "plan_transforms:reversed_text", "[AB]": twice, "re:^A": failing}
    plan = migrate.plan(source, target, transform=transform)
    assert {step.source: step.reason for step in plan.steps} == {"A": "same", "B": "same", "C": "same"}
    assert plan.rules.document()["transform"] == {
        "A": "plan_transforms:reversed_text",
        "[AB]": "plan_transforms:twice",
        "re:^A": "plan_transforms:failing",
    }


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (failing, "the transform plan_transforms:failing raised ValueError"),
        (no_text, "the transform plan_transforms:no_text gave bytes, no text"),
    ],
)
def test_a_transform_that_fails_refuses_its_secret_without_telling_the_value(
    place: Place, function: Any, reason: str
) -> None:
    assert only(migrate.plan(place.env(A="canary"), place.json(), transform=function)).reason == reason


def test_the_environment_of_the_source_chooses_the_template(place: Place) -> None:
    source = filled(place.vault("staging"), KEY="1")
    plan = migrate.plan(
        source, place.env(), environments={"production": "PROD_{name}", "staging": "STG_{name}"}, prefix="P_"
    )
    assert renames(plan) == {"KEY": "STG_P_KEY"}


def test_the_environment_of_the_target_takes_its_template_off_and_leaves_other_names(place: Place) -> None:
    source = place.env(PROD_KEY="1", STG_KEY="2", OTHER="3")
    environments = {"production": "PROD_{name}", "staging": "STG_{name}"}
    plan = migrate.plan(source, place.vault("staging"), environments=environments, case="lower")
    assert renames(plan) == {"STG_KEY": "key"}


@pytest.mark.parametrize(
    ("environments", "vault", "problem"),
    [
        ({"production": "P_{name}"}, False, "is given, and neither end has environments"),
        ({"staging": "S_{name}"}, True, "says nothing about 'production'"),
    ],
)
def test_environments_that_do_not_fit_the_ends_are_refused(
    place: Place, environments: dict[str, str], *, vault: bool, problem: str
) -> None:
    target = place.vault() if vault else place.json()
    with pytest.raises(InvalidRequest) as caught:
        migrate.plan(place.env(A="1"), target, environments=environments)
    assert [one.problem for one in caught.value.violations] == [problem]
