"""What finds what in each language: search, phrase, highlight and typo, from the same terms."""
# ruff: noqa: RUF001 - letters of many scripts are what it is about

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import hybridsearch
from hybridsearch.database import Database
from hybridsearch.languages import LANGUAGES
from hybridsearch.request import SearchResult


@dataclass(frozen=True)
class Case:
    """A text, and what finds it: query -> how the text is marked. `others` find nothing."""

    name: str
    language: str
    text: str
    found: dict[str, str]
    others: tuple[str, ...] = ()


CASES = [
    Case(
        "en",
        "en",
        "The cities were running a database",
        {
            "City": "The <em>cities</em> were running a database",
            "RUNS": "The cities were <em>running</em> a database",
            '"city run"~1': "The <em>cities were running</em> a database",
            "databsae": "The cities were running a <em>database</em>",
        },
        ('"running cities"',),
    ),
    Case(
        "de",
        "de",
        "Die schönen Häuser von Müller liegen an der Straße nach Gießen",
        {
            "haus": "Die schönen <em>Häus</em>er von Müller liegen an der Straße nach Gießen",
            "HÄUSERN": "Die schönen <em>Häuser</em> von Müller liegen an der Straße nach Gießen",
            "Mueller": "Die schönen Häuser von <em>Müller</em> liegen an der Straße nach Gießen",
            "STRASSE": "Die schönen Häuser von Müller liegen an der <em>Straße</em> nach Gießen",
            '"schöne Häuser"': "Die <em>schönen Häuser</em> von Müller liegen an der Straße "
            "nach Gießen",
            "giesen": "Die schönen Häuser von Müller liegen an der Straße nach <em>Gießen</em>",
        },
    ),
    Case(
        "fr",
        "fr",
        "L\u2019œuvre des chevaux naïfs",
        {
            "oeuvres": "L\u2019<em>œuvre</em> des chevaux naïfs",
            "cheval": "L\u2019œuvre des <em>chevaux</em> naïfs",
            '"cheval naif"': "L\u2019œuvre des <em>chevaux naïfs</em>",
            "chevuax": "L\u2019œuvre des <em>chevaux</em> naïfs",
        },
    ),
    Case(
        "es",
        "es",
        "Las canciones del niño",
        {
            "canción": "Las <em>cancion</em>es del niño",
            "cancion ": "Las <em>canciones</em> del niño",
            "nino": "Las canciones del <em>niño</em>",
            "cancoines": "Las <em>canciones</em> del niño",
        },
    ),
    Case(
        "ru",
        "ru",
        "Собаки бежали по зелёному саду",
        {
            "собака": "<em>Собаки</em> бежали по зелёному саду",
            "зеленый": "Собаки бежали по <em>зелёному</em> саду",
            '"зелёный сад"': "Собаки бежали по <em>зелёному саду</em>",
            "собкаи": "<em>Собаки</em> бежали по зелёному саду",
        },
    ),
    Case(
        "uk, no stemmer",
        "none",
        "П\u2019ять м'ячів",
        {"п'ять": "<em>П\u2019ять</em> м'ячів", "м\u02bcячів": "П\u2019ять <em>м'ячів</em>"},
        ("ять",),
    ),
    Case(
        "sr",
        "sr",
        "Нове књиге из Београда",
        {
            "knjiga": "Нове <em>књиге</em> из Београда",
            "књига": "Нове <em>књиге</em> из Београда",
            "beogr": "Нове књиге из <em>Беогр</em>ада",
            '"nova knjiga"': "<em>Нове књиге</em> из Београда",
        },
    ),
    Case(
        "el",
        "el",
        "Οι μεγάλοι δρόμοι της ΑΘΗΝΑΣ",
        {
            "δρόμος": "Οι μεγάλοι <em>δρόμοι</em> της ΑΘΗΝΑΣ",
            "ΔΡΟΜΟΣ": "Οι μεγάλοι <em>δρόμοι</em> της ΑΘΗΝΑΣ",
            "Αθήνα ": "Οι μεγάλοι δρόμοι της <em>ΑΘΗΝΑΣ</em>",
            '"μεγάλος δρόμος"': "Οι <em>μεγάλοι δρόμοι</em> της ΑΘΗΝΑΣ",
        },
    ),
    Case(
        "tr",
        "tr",
        "İstanbul'daki KIZLAR Isparta'ya gitti",
        {
            "istanbul": "<em>İstanbul</em>'daki KIZLAR Isparta'ya gitti",
            "kız": "İstanbul'daki <em>KIZ</em>LAR Isparta'ya gitti",
            "kızların": "İstanbul'daki <em>KIZLAR</em> Isparta'ya gitti",
            "ısparta": "İstanbul'daki KIZLAR <em>Isparta</em>'ya gitti",
            "ISPARTA": "İstanbul'daki KIZLAR <em>Isparta</em>'ya gitti",
        },
    ),
    Case(
        "pl",
        "pl",
        "Koty z Łodzi i Gdańska",
        {
            "kotami": "<em>Koty</em> z Łodzi i Gdańska",
            "lodzi": "Koty z <em>Łodzi</em> i Gdańska",
            "gdanska": "Koty z Łodzi i <em>Gdańska</em>",
        },
    ),
    Case(
        "da",
        "da",
        "Smørrebrød på Ærø",
        {
            "smorrebrod": "<em>Smørrebrød</em> på Ærø",
            "aero": "Smørrebrød på <em>Ærø</em>",
        },
    ),
    Case("cs", "cs", "Na hradech Čech", {"hrad ": "Na <em>hradech</em> Čech"}),
    Case("et", "et", "Vanade majade vahel", {"maja ": "Vanade <em>majade</em> vahel"}),
    Case("hu", "hu", "A házakban laktak", {"ház": "A <em>ház</em>akban laktak"}),
    Case(
        "ar",
        "ar",
        "قرأتُ الكِتابَ في المدرسةِ مع أحمد",
        {
            "كتاب": "قرأتُ <em>الكِتابَ</em> في المدرسةِ مع أحمد",
            "والكتاب": "قرأتُ <em>الكِتابَ</em> في المدرسةِ مع أحمد",
            "بالكتاب": "قرأتُ <em>الكِتابَ</em> في المدرسةِ مع أحمد",
            "للكتاب": "قرأتُ <em>الكِتابَ</em> في المدرسةِ مع أحمد",
            "كـــتاب": "قرأتُ <em>الكِتابَ</em> في المدرسةِ مع أحمد",
            "مدرسه": "قرأتُ الكِتابَ في <em>المدرسةِ</em> مع أحمد",
            "احمد": "قرأتُ الكِتابَ في المدرسةِ مع <em>أحمد</em>",
        },
        ("كلب",),
    ),
    Case(
        "ar, no stemmer",
        "none",
        "مدرسة على ٢٠٢٠",
        {"مدرسه": "<em>مدرسة</em> على ٢٠٢٠", "2020": "مدرسة على <em>٢٠٢٠</em>"},
    ),
    Case(
        "fa",
        "fa",
        "کتاب\u200cهای ایران",
        {
            "كتاب": "<em>کتاب</em>\u200cهای ایران",
            "ايران": "کتاب\u200cهای <em>ایران</em>",
            '"کتاب های ایران"': "<em>کتاب\u200cهای ایران</em>",
        },
    ),
    Case("ur, no stemmer", "none", "ہمارا گھر", {"همارا": "<em>ہمارا</em> گھر"}),
    Case(
        "he, no stemmer",
        "none",
        "שָׁלוֹם לחיילי צה\u05f4ל",
        {
            "שלום": "<em>שָׁלוֹם</em> לחיילי צה\u05f4ל",
            'צה"ל': "שָׁלוֹם לחיילי <em>צה\u05f4ל</em>",
            "\u200fשלום\u200f": "<em>שָׁלוֹם</em> לחיילי צה\u05f4ל",
        },
    ),
    Case(
        "hi",
        "hi",
        "किताबें २०२४ में",
        {"किताब": "<em>किताब</em>ें २०२४ में", "2024": "किताबें <em>२०२४</em> में"},
    ),
    Case(
        "vi, no stemmer",
        "none",
        "Thành phố Đà Nẵng",
        {
            "da nang": "Thành phố <em>Đà</em> <em>Nẵng</em>",
            '"thanh pho"': "<em>Thành phố</em> Đà Nẵng",
        },
    ),
    Case(
        "zh",
        "auto",
        "北京大学2020年成立",
        {
            "大学": "北京<em>大学</em>2020年成立",
            '"北京大学"': "<em>北京大学</em>2020年成立",
            "2020": "北京大学<em>2020</em>年成立",
        },
        ("大北",),
    ),
    Case(
        "ja",
        "auto",
        "東京タワーでｶﾞｲﾄﾞを見た",
        {"タワー": "東京<em>タワー</em>でｶﾞｲﾄﾞを見た", "ガイド": "東京タワーで<em>ｶﾞｲﾄﾞ</em>を見た"},
    ),
    Case(
        "ko",
        "auto",
        "서울에서 한국어를 배웠다",
        {
            "한국어": "서울에서 <em>한국어</em>를 배웠다",
            "\u1112\u1161\u11ab\u1100\u116e\u11a8": "서울에서 <em>한국</em>어를 배웠다",
        },
    ),
    Case(
        "th",
        "auto",
        "อาหารไทยและน้ำดื่ม",
        {"ไทย": "อาหาร<em>ไทย</em>และน้ำดื่ม", "นํ้า": "อาหารไทยและ<em>น้ำ</em>ดื่ม"},
    ),
    Case(
        "mixed scripts",
        "en",
        "Running iPhone東京 с собакой",
        {
            "runs": "<em>Running</em> iPhone東京 с собакой",
            "東京": "Running iPhone<em>東京</em> с собакой",
            "iphones": "Running <em>iPhone</em>東京 с собакой",
            "собакой": "Running iPhone東京 с <em>собакой</em>",
        },
    ),
    Case(
        "forms of writing",
        "none",
        "ＦＵＬＬ ﬁle co\u00adop cafe\u0301 x\u00b2 \u2167 foo\u2060bar \U0001f469\u200d\U0001f4bb",
        {
            "full": "<em>ＦＵＬＬ</em> ﬁle co\u00adop cafe\u0301 x\u00b2 \u2167 foo\u2060bar "
            "\U0001f469\u200d\U0001f4bb",
            "coop foobar": "ＦＵＬＬ ﬁle <em>co\u00adop</em> cafe\u0301 x\u00b2 \u2167 "
            "<em>foo\u2060bar</em> \U0001f469\u200d\U0001f4bb",
            "FILE café viii": "ＦＵＬＬ <em>ﬁle</em> co\u00adop <em>cafe\u0301</em> x\u00b2 "
            "<em>\u2167</em> foo\u2060bar \U0001f469\u200d\U0001f4bb",
        },
    ),
    Case("ideographic variants", "none", "葛\U000e0100城市", {"葛城": "<em>葛\U000e0100城</em>市"}),
    Case("ml, no stemmer", "none", "അവന്\u200d വന്നു", {"അവൻ": "<em>അവന്</em>\u200d വന്നു"}),
]


# For the other stemmers: a text of two words, and two other forms of these
PAIRS = {
    "ca": ("gats dormen", "gat", "dormir"),
    "eu": ("etxeak mendian", "etxe", "mendi"),
    "fi": ("vanhat talot", "vanha", "talossa"),
    "ga": ("bhfear gcapall", "fear", "capall"),
    "hy": ("սեղանին ընկերներ", "սեղան", "ընկեր"),
    "id": ("membaca bukunya", "baca", "buku"),
    "it": ("case italiane", "casa", "italiana"),
    "lt": ("namai upės", "namas", "upė"),
    "ne": ("केटाहरूले किताबमा", "केटा", "किताब"),
    "nl": ("katten slapen", "kat", "slaapt"),
    "no": ("husene havet", "huset", "havene"),
    "pt": ("casas antigas", "casa", "antiga"),
    "ro": ("casele vechi", "casa", "veche"),
    "sv": ("flickorna husen", "flicka", "huset"),
    "ta": ("புத்தகங்கள் வீடுகள்", "புத்தகம்", "வீடு"),
    "yi": ("ביכער קינדער", "ביכער", "קינדער"),
}
CASES += [
    Case(
        code,
        code,
        text,
        {
            f"{one} ": f"<em>{text.split()[0]}</em> {text.split()[1]}",
            f"{two} ": f"{text.split()[0]} <em>{text.split()[1]}</em>",
            f'"{one} {two}"': f"<em>{text}</em>",
        },
        (f'"{two} {one}"',),
    )
    for code, (text, one, two) in PAIRS.items()
]


def test_every_stemmer_is_in_the_table() -> None:
    assert set(LANGUAGES) <= {case.language for case in CASES}


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with hybridsearch.open(default_embedder=None) as opened:
        yield opened


def _index(db: Database, case: Case) -> Any:
    index = db.create_index(f"i{CASES.index(case)}", primary_key="id", exist_ok=True)
    if not index.count():
        index.update_settings({"language": case.language})
        index.add([{"id": 1, "text": case.text}, {"id": 2, "text": "zzz"}])
    return index


def _search(db: Database, case: Case, query: str) -> SearchResult:
    result: SearchResult = _index(db, case).search(query, highlight=["text"])
    return result


@pytest.mark.parametrize(
    ("case", "query"),
    [
        pytest.param(case, query, id=f"{case.name}: {query}")
        for case in CASES
        for query in case.found
    ],
)
def test_a_query_finds_a_text_and_marks_what_it_found(db: Database, case: Case, query: str) -> None:
    hits = _search(db, case, query).hits
    assert [(hit.id, hit.highlights["text"]) for hit in hits] == [(1, case.found[query])]


@pytest.mark.parametrize(
    ("case", "query"),
    [
        pytest.param(case, query, id=f"{case.name}: {query}")
        for case in CASES
        for query in case.others
    ],
)
def test_a_query_for_another_word_finds_nothing(db: Database, case: Case, query: str) -> None:
    assert not _search(db, case, query).hits
