"""One frozen `Settings`, read from the environment and `.env`; every problem reported at once.

Empty means unset, and in `.env` the last line wins. A name that begins with AUTHGATE_ and is not
known is refused, so that a typing error never passes for a setting (AUTHGATE_TEST_* is exempt).
Nothing below `app` sees this record: parts get small policies made from it. `fields` is the record,
its neighbours by subject how single values are read (`values`, `database`, `gateway`, …); `loading`
puts it together, with the secrets that stand in `secret_files`; `file` is what may change later.
"""

from __future__ import annotations

from authgate.settings.fields import DEFAULT_PORT, Settings, environment_names
from authgate.settings.file import LiveSettings
from authgate.settings.loading import SettingsError, load, load_live

__all__ = [
    "DEFAULT_PORT",
    "LiveSettings",
    "Settings",
    "SettingsError",
    "environment_names",
    "load",
    "load_live",
]
