"""What a part's class says of itself: its docstring, its settings, what may be searched."""

import inspect

from trainables.settings import Invalid, Use, branches, keywords_of


def check_declared(part: type) -> None:
    """Raises Invalid for a class without docstring, or with a setting that has no annotation."""
    if not part.__doc__:
        raise Invalid(f"{part.__name__}: its class must have a docstring; it has none")
    for name, keyword in keywords_of(part).items():
        if keyword.annotation is inspect.Parameter.empty:
            valid = "must have an annotation with its type and range"
            raise Invalid(f"{part.__name__}: its setting {name} {valid}; it has none")


def check_suggest(use: Use) -> None:
    """Raises Invalid for a part that neither offers valid settings to a search nor says why not."""
    part, name = use.part, use.name
    offers, refuses = "suggest" in vars(part), bool(vars(part).get("nothing_to_search"))
    if offers == refuses:
        has = "both" if offers else "neither"
        valid = 'must itself have `suggest`, or say why not in nothing_to_search = "..."'
        raise Invalid(f"{name}: its class {valid}; it has {has}")
    for explorer, offered in branches(part.suggest) if offers else ():
        if unknown := [setting for setting in offered if setting not in keywords_of(part)]:
            valid = f"settings of its class, {', '.join(keywords_of(part)) or 'which has none'}"
            raise Invalid(f"{name}: its suggest must give {valid}; it gave {unknown[0]}")
        if lost := [setting for setting in explorer.asked if setting not in offered]:
            raise Invalid(f"{name}: its suggest must give all that it asks for; it left {lost[0]}")
        try:
            found = use.but(**offered)
        except Invalid as error:
            raise Invalid(f"{name}: its suggest must give valid values; {error}") from error
        if changed := [setting for setting, value in offered.items() if found[setting] != value]:
            valid = f"{changed[0]} = {found[changed[0]]!r}"
            raise Invalid(f"{name}: its suggest must give {valid}; it gave {offered[changed[0]]!r}")
