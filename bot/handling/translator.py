"""Commands in the languages of their members: names, descriptions and choices; what the bot says is English."""

import json
from importlib.resources import files

from discord import Locale, app_commands
from discord.app_commands import TranslationContextTypes, locale_str

LANGUAGES: dict[Locale, str] = {
    Locale.german: "de",
    Locale.spain_spanish: "es",
    Locale.latin_american_spanish: "es",
    Locale.french: "fr",
}
"""Which file of ``bot/locales`` each of Discord's languages is in."""


def translations(language: str) -> dict[str, str]:
    """Return the texts of a language, by the English text that stands in the code."""
    file = files("bot").joinpath("locales", f"{language}.json")
    texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return texts


class LocaleTranslator(app_commands.Translator):
    """Translates by the files in ``bot/locales``; Discord shows the English text where they have none."""

    async def load(self) -> None:
        """Read the files."""
        self._texts = {locale: translations(language) for locale, language in LANGUAGES.items()}

    async def translate(self, string: locale_str, locale: Locale, _context: TranslationContextTypes) -> str | None:
        """Return a text in a language, if there is one."""
        return self._texts.get(locale, {}).get(string.message)
