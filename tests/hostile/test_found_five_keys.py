"""What a hostile reader found in the keys, the fifth time: each names what is right."""

import pytest

from runtime.settings import read_settings
from schemas.troubles import Trouble

KEY = "a key of the site that is long"


@pytest.mark.parametrize("lines", ["", "\n", "# dso=the key that was taken back\n"])
def test_a_file_of_keys_without_a_key_opens_nothing(lines: str) -> None:
    """The last key of a limit was taken back (or the file is just being written): from then on dispatch followed every
    limit without a signature, of anybody who may publish."""
    found = read_settings("dispatch", {"JOULEBUS_LIMIT_KEYS": lines})
    assert found.limits_signed
    assert found.keys_of("dso") == []
    assert not read_settings("dispatch", {}).limits_signed


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("bridge", "JOULEBUS_COMMAND_KEY"),
        ("dispatch", "JOULEBUS_COMMAND_KEY"),
        ("dispatch", "JOULEBUS_LIMIT_KEYS"),
        ("dso", "JOULEBUS_LIMIT_KEY"),
    ],
)
def test_a_variable_for_a_key_that_names_no_file_opens_nothing(role: str, name: str) -> None:
    """`JOULEBUS_COMMAND_KEY_FILE=${KEY_FILE}` in a set-up where KEY_FILE is not set: the bridge began, and obeyed every
    command without a signature."""
    with pytest.raises(Trouble, match=f"{name}_FILE names no file"):
        read_settings(role, {f"{name}_FILE": ""})
