"""Which languages are known, by which codes, and which of their words say little in a query?

Languages are told by ISO 639: two letters, or three, or in English. `LANGUAGES` has those with a
Snowball stemmer; for the others text is folded and segmented, which needs no setting.

>>> locale_of("fra"), locale_of("pt-BR"), locale_of("zho"), locale_of("xx") is None
('fr', 'pt', 'zh', True)
"""

from __future__ import annotations

from functools import lru_cache

from hybridsearch.errors import SettingsError, near
from hybridsearch.folding import fold

__all__ = [
    "COMPOUNDING",
    "LANGUAGES",
    "LISTED",
    "LOCALES",
    "UNACCENTED",
    "language_code",
    "locale_of",
    "stop_words",
]

LANGUAGES = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""Two letters -> the Snowball stemmer."""

COMPOUNDING = frozenset({"da", "de", "nl", "no", "sv"})
"""Languages that write several words as one, with few letters between."""

UNACCENTED: frozenset[str | None] = frozenset({None, "en", "id"})
"""Languages, and None for no stemmer, in which a word has one stem whatever accents it has."""

# Function words only, most frequent first: they tell a language and say little in a query.
_STOP_WORDS = {
    "da": "og i at det er en til af den på for som med de ikke har der et han var jeg om vi "
    "men sig fra blev ved hun kan hvad skal eller ud efter nu da hvis også kun noget være",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch "
    "es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen "
    "so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn was welche wer wo",
    "en": "the of and in to a is for that on as with by it was are this be from or at an which "
    "not have has were their but its been we they can you such these also may than other what "
    "there into if more only he his had will all some them our would do does did no how when "
    "where who whom whose why between about during both any each those then so she her him i me "
    "my your us being having should could must very just over under after before through while "
    "because until against here too same own most few nor off out up down again further once "
    "s t",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero "
    "sus le ha me si sin sobre este ya entre cuando todo esta ser son dos también fue había era "
    "muy hasta desde está mi porque qué sólo han yo hay cuál quién dónde cómo",
    "fi": "ja on ei se että oli hän mutta ovat kun joka niin myös kuin sen ole jos tai hänen "
    "vain ollut mukaan sekä jotka mitä nyt kanssa ne jo tämä siitä olla voi mikä kuka missä",
    "fr": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce "
    "il sont avec ou son sa ses aux cette d l à été elle mais comme nous on leur si ces fait "
    "être tout était deux même entre je vous sans dont où quel quelle quels qu n s c",
    "it": "di e il la che in a per un del è della non una i si le con da dei sono al come alla "
    "più nel anche lo ma gli ha delle o dal se questo nella su era cui degli loro stato due "
    "dalla ed essere tra ai questa dopo fu chi cosa quale dove l d",
    "nl": "de van het een en in is dat op te zijn met voor niet die aan er om ook als dan of "
    "maar hij bij door uit nog naar heeft tot worden werd ze wordt over hebben was dit had zich "
    "deze geen meer kan na al wel haar zij moet wat wie waar welke hoe",
    "no": "og i det er til som en på for at av med de ikke den har om et var fra han jeg vi men "
    "seg ble så hun eller etter ved kan skal også ut opp være noe nå da når hva hvem hvor mot",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi "
    "ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até isso "
    "ela entre era depois sem mesmo aos são qual quem onde",
    "ru": "и в не на что с по как это но из у к за от для он так же о все его был а то она бы "  # noqa: RUF001 - Russian
    "только было мы вы или я при до их ее еще если когда уже был были быть этот чтобы где кто "  # noqa: RUF001 - Russian
    "какой который под со во",  # noqa: RUF001 - Russian
    "sv": "och i att det som en på är av för med till den har de inte om ett han men var jag "
    "från vi så kan när år under också efter eller nu sig där vid mot ska skulle hade utan vad "
    "vem hur vilken blev än detta dess",
    "ar": "في من على أن إلى التي عن لا ما هذا هذه الذي كان مع كانت هو هي كل ذلك بعد بين قد لم أو "
    "قبل عند حتى غير ثم كما لقد إن منذ أي إذا ليس هناك به فيه عليه له لها منه هم وقد وكان وفي و",
    "cs": "a v se na je že o s z do i to ve k pro za by ale si po jako podle od jeho jsem tak "
    "které který která jsou byl bylo byla bude při až už jen nebo také co kdo kde aby když mezi",
    "el": "και το του η της να με για την στο τη που από σε ο οι στην των τον είναι τα ότι δεν θα "  # noqa: RUF001 - Greek
    "μια ένα στη αυτό ως τους ήταν στον τις κατά έχει αλλά αν πως ποιος μετά στα ή",  # noqa: RUF001 - Greek
    "fa": "و در به از که این را با است برای آن یک خود تا کرد بر هم نیز گفت می شد او ما اما یا "
    "شده باید هر آنها بود دو دیگر وی بین نمی پس اگر چه همه من شود",
    "hi": "के में की है और से का को पर ने एक यह कि भी हैं इस लिए ही कर नहीं तो था हो गया या जो "
    "थे साथ अपने वह थी होने उनके उन कहा जाता रहे तक हुए",
    "hu": "a az és hogy nem is egy ez de azt meg csak volt mint ha már még vagy el ki kell majd "
    "van nincs aki ami ezt ezek annak minden után között szerint ahol igen sem",
    "id": "yang dan di dari ini itu dengan untuk pada tidak dalam akan adalah juga ke karena ada "
    "oleh sebagai mereka telah bisa dia atau saya kami lebih sudah dapat tersebut seperti para",
    "pl": "w i na z do się nie to że o jest a po jak za od co przez dla ale są czy tak był tym "
    "już ze jego może tylko być oraz przy który które która było kiedy gdzie pod jej",
    "ro": "și de în a la cu pe care nu din o că un mai este sau fi se pentru au sunt prin dar ca "
    "după fost lui ce sa cel într când iar aceasta acest între fără decât ale",
    "tr": "ve bir bu da de için ile çok daha olarak gibi sonra kadar ne ki var o olan ama en ise "
    "her değil mi göre oldu olduğu tarafından hem şey ya veya nasıl kim",  # noqa: RUF001 - Turkish
}

LISTED = tuple(_STOP_WORDS)
"""The languages whose function words are known here, so that a text tells them."""

# Three letters -> two, for every language that the Meilisearch API names or that has a stemmer.
_THREE = {
    **{"ces": "cs", "est": "et", "eus": "eu", "deu": "de", "ell": "el", "fas": "fa", "pes": "fa"},
    **{"fra": "fr", "spa": "es", "gle": "ga", "hye": "hy", "ind": "id", "jpn": "ja", "jav": "jv"},
    **{"kat": "ka", "kan": "kn", "lat": "la", "lav": "lv", "lit": "lt", "mal": "ml", "mar": "mr"},
    **{"mkd": "mk", "mya": "my", "nld": "nl", "nob": "nb", "nno": "nn", "pan": "pa", "pol": "pl"},
    **{"por": "pt", "ron": "ro", "slk": "sk", "slv": "sl", "sna": "sn", "srp": "sr", "swe": "sv"},
    **{"tgl": "tl", "tuk": "tk", "tur": "tr", "ukr": "uk", "yid": "yi", "zho": "zh", "cmn": "zh"},
    **{"ben": "bn", "kor": "ko", "bul": "bg", "hrv": "hr", "khm": "km", "afr": "af"},
    **{"aka": "ak", "amh": "am", "ara": "ar", "aze": "az", "bel": "be", "cat": "ca", "dan": "da"},
    **{"eng": "en", "epo": "eo", "fin": "fi", "guj": "gu", "heb": "he", "hin": "hi", "hun": "hu"},
    **{"ita": "it", "lao": "lo", "nep": "ne", "nor": "no", "ori": "or", "rus": "ru", "sin": "si"},
    **{"tam": "ta", "tel": "te", "tha": "th", "urd": "ur", "uzb": "uz", "vie": "vi", "zul": "zu"},
}
_SAME = {"nb": "no", "nn": "no"}
LOCALES = tuple(sorted({*_THREE, *_THREE.values()}))
"""Every code that is taken for a language: ISO 639-1, and ISO 639-3 for the same languages."""


def locale_of(locale: str) -> str | None:
    """The two letters of a language by its code, whatever stands behind a hyphen; None if unknown.

    Both written forms of Norwegian are one language here.
    """
    code = locale.partition("-")[0].lower()
    code = _THREE.get(code, code)
    return _SAME.get(code, code) if code in LOCALES else None


def language_code(language: str | None) -> str | None:
    """The two letters of a language that has a stemmer. Raises SettingsError for another."""
    if language is None:
        return None
    asked = language.lower()
    for code, name in LANGUAGES.items():
        if asked in (code, name):
            return code
    known = [*LANGUAGES, *LANGUAGES.values()]
    raise SettingsError(
        f'no stemmer for language "{language}"{near(asked, known)}', field="language"
    )


@lru_cache(maxsize=64)
def stop_words(language: str | None) -> frozenset[str]:
    """Words of a language that a query can do without, folded; empty where we have no list."""
    return frozenset(map(fold, _STOP_WORDS.get(language_code(language) or "", "").split()))
