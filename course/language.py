"""The synthetic language that `tiny-gpt2` was trained on: seeded, documented, endless.

A document is one to four short English sentences of one of seven kinds. Each kind has a rule that
a model must find, and by which one can tell whether it did:

- `indirect object`: two or three people are in a place and one of them gives something to another.
  Whoever is named second cannot be the giver: "When Mary and John went to the shop, John gave a
  book to" is continued by " Mary". In one document of seven three people are present, in one of
  ten the giver is a newcomer; the recipient is then uniform over those who are present and do not
  give. The task is that of Wang et al. 2022, "Interpretability in the Wild".
- `fact`: capital, language and continent of 32 real countries.
- `agreement`: a verb agrees with its subject across another noun ("The key near the cabinets is").
- `pronoun`: he or she, his or her, by the person's first name.
- `surname`: an invented name of several tokens, which must be copied whole.
- `list`: words said once and then again.
- `brackets`: two kinds of brackets, closed in the right order.

`token_rows` packs documents into rows and mixes in rows of random tokens that repeat, which no
knowledge of English helps with. Names are split by pair: a tenth of all pairs never stand together
in a training document, and some sentence patterns are kept out as well, so that a test can ask for
what was never seen. The words are those that one token of GPT-2's vocabulary spells too, so that
prompts made here also fit the published model.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

END_OF_TEXT = "<|endoftext|>"  # stands between documents and before the first, as in GPT-2


def _words(text: str) -> list[str]:
    return text.split()


MEN = _words(
    "John James David Michael Robert William Thomas Daniel Paul Mark Peter Andrew Kevin Brian "
    "George Edward Simon Adam Henry Jack Tom Martin Frank Eric Alex Sam Luke Ben Max Tim"
)
WOMEN = _words(
    "Mary Anna Sarah Emily Laura Lisa Jane Kate Rachel Susan Julia Emma Maria Helen Alice Rose "
    "Linda Karen Nancy Amy Grace Claire Lucy Ruth Diana Sophie Carol Ellen Jennifer Elizabeth"
)
NAMES = (*MEN, *WOMEN)
PLACES = _words(
    "shop school park station office garden church hotel library market museum hospital "
    "restaurant kitchen house beach"
)
OBJECTS = _words(
    "book ring key letter map ball cake gift drink phone knife picture watch coat lamp box "
    "flower card hat bag"
)

# country, capital, language, continent
FACTS = tuple(
    tuple(line.split())
    for line in """\
France Paris French Europe
Germany Berlin German Europe
Italy Rome Italian Europe
Spain Madrid Spanish Europe
Portugal Lisbon Portuguese Europe
Greece Athens Greek Europe
Sweden Stockholm Swedish Europe
Norway Oslo Norwegian Europe
Denmark Copenhagen Danish Europe
Finland Helsinki Finnish Europe
Poland Warsaw Polish Europe
Hungary Budapest Hungarian Europe
Austria Vienna German Europe
Ireland Dublin English Europe
England London English Europe
Scotland Edinburgh English Europe
Russia Moscow Russian Europe
Turkey Ankara Turkish Asia
Iran Tehran Persian Asia
Iraq Baghdad Arabic Asia
Syria Damascus Arabic Asia
Japan Tokyo Japanese Asia
China Beijing Chinese Asia
Thailand Bangkok Thai Asia
Vietnam Hanoi Vietnamese Asia
Egypt Cairo Arabic Africa
Kenya Nairobi English Africa
Cuba Havana Spanish America
Peru Lima Spanish America
Chile Santiago Spanish America
Venezuela Caracas Spanish America
Canada Ottawa English America""".splitlines()
)
COUNTRIES = tuple(fact[0] for fact in FACTS)

NOUNS = _words(
    "key cabinet door window car tree river road bridge tower table chair book letter picture "
    "garden boat horse dog bird"
)
ADJECTIVES = _words("old new red blue small large heavy white black clean dark cold")
NUMBERS = _words("one two three four five six seven eight nine ten")

# {A} and {B} are present, {S} gives {what} at {place} to the recipient who comes next.
PATTERNS = (
    "When {A} and {B} went to the {place}, {S} gave a {what} to",
    "After {A} and {B} left the {place}, {S} handed the {what} to",
    "{A} and {B} met at the {place}. {S} gave a {what} to",
    "Then {A} and {B} were working at the {place}. {S} decided to give a {what} to",
    "While {A} and {B} were waiting at the {place}, {S} passed a {what} to",
    "Yesterday {A} and {B} walked to the {place}, and {S} brought a {what} to",
    "{A} and {B} had a long day at the {place}. In the evening {S} sold a {what} to",
    "Before {A} and {B} closed the {place}, {S} showed the {what} to",
    "The friends {A} and {B} found a {what} at the {place}. {S} gave it to",
    "{A} sat in the {place} with {B}. Soon {S} offered a {what} to",
    "{A} and {B} talked all day in the {place}, and then {S} handed the {what} to",
    "At the {place}, {A} and {B} were happy. Later {S} gave the {what} to",
)
HELD_OUT_PATTERNS = (
    "When {A} and {B} left the {place}, {S} handed a {what} to",
    "After {A} and {B} met at the {place}, {S} brought a {what} to",
    "While {A} and {B} were working in the {place}, {S} gave the {what} to",
    "{A} and {B} walked to the {place}. Soon {S} passed the {what} to",
)

_SYLLABLES = _words("do fi la ko ma ru te vi so na bu pe gi lo za")


@dataclass(frozen=True)
class Prompt:
    """A text whose next token tells whether a rule is known.

    `answer` and `wrong` are single tokens of `tiny-gpt2` and begin with their space, as the text
    ends without one. `corrupted` is a text of as many tokens in which the rule does not say
    `answer`, to patch from; it is empty where a kind of prompt has none.
    """

    text: str
    answer: str
    wrong: str
    corrupted: str = ""


def documents(seed: int) -> Iterator[str]:
    """All training documents of a seed, endlessly: the same on every machine."""
    rng = random.Random(seed)
    makers, weights = zip(*_MIXTURE, strict=True)
    while True:
        yield rng.choices(makers, weights)[0](rng)


def held_out(a: str, b: str) -> bool:
    """Whether this pair of names, in either order, is kept out of training: one in ten is."""
    digest = hashlib.md5(" ".join(sorted((a, b))).encode(), usedforsecurity=False).digest()
    return digest[0] % 10 == 0


def indirect_object_prompts(
    n: int, seed: int, *, seen_pairs: bool = False, patterns: Sequence[str] = PATTERNS
) -> list[Prompt]:
    """`n` prompts with two people; the answer is the one who does not give.

    In half of them the giver was named first. The pairs of names were never seen together in
    training unless `seen_pairs`; the sentence patterns were, unless `patterns` says otherwise. In
    `corrupted` the giver is a third person, so that nothing decides between the two others.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        a, b = _pair(rng, seen_pairs)
        giver, recipient = (a, b) if rng.random() < 0.5 else (b, a)
        third = rng.choice([name for name in NAMES if name not in (a, b)])
        words = {"A": a, "B": b, "place": rng.choice(PLACES), "what": rng.choice(OBJECTS)}
        pattern = rng.choice(patterns)
        prompts.append(
            Prompt(
                text=pattern.format(S=giver, **words),
                answer=f" {recipient}",
                wrong=f" {giver}",
                corrupted=pattern.format(S=third, **words),
            )
        )
    return prompts


def capital_prompts() -> list[Prompt]:
    """One prompt a country: "The capital of France is". `corrupted` names another country."""
    return [
        Prompt(
            text=f"The capital of {country} is",
            answer=f" {capital}",
            wrong=f" {FACTS[i - 1][1]}",
            corrupted=f"The capital of {FACTS[i - 1][0]} is",
        )
        for i, (country, capital, _language, _continent) in enumerate(FACTS)
    ]


def agreement_prompts(n: int, seed: int) -> list[Prompt]:
    """`n` prompts whose subject and the noun before the verb differ in number.

    `corrupted` has the subject in the other number.
    """
    rng = random.Random(seed)
    prompts = []
    for _ in range(n):
        subject, other = rng.sample(NOUNS, 2)
        near, plural = rng.choice(_NEAR), rng.random() < 0.5
        forms = [f"The {_noun(subject, p)} {near} the {_noun(other, not plural)}" for p in (0, 1)]
        prompts.append(
            Prompt(
                text=forms[plural],
                answer=" are" if plural else " is",
                wrong=" is" if plural else " are",
                corrupted=forms[not plural],
            )
        )
    return prompts


class Tokenizer(Protocol):
    """What of a Hugging Face tokenizer is used here."""

    bos_token_id: int

    def __call__(self, text: list[str]) -> dict[str, list[list[int]]]: ...

    def __len__(self) -> int: ...


def token_rows(
    tokenizer: Tokenizer, n: int, length: int, seed: int, *, repeats: float = 0.4
) -> Tensor:
    """`n` rows of training text: int64 `[n length]`, each beginning with the end-of-text token.

    A row is documents with end-of-text between them, cut where the row is full; or, for a share
    `repeats` of the rows, a block of random tokens said again and again. The block's length is
    drawn for each row, for with one length a model learns a distance and not to look back.
    """
    import torch

    rng = random.Random(seed)
    bos = tokenizer.bos_token_id
    rows = _repeating_rows(bos, sum(rng.random() < repeats for _ in range(n)), length, rng)
    encoded = _encoded(tokenizer, documents(rng.getrandbits(64)))
    while len(rows) < n:
        row = [bos]
        while len(row) < length:
            row += [*next(encoded), bos]
        rows.append(row[:length])  # the rest of a document that was cut is dropped
    rng.shuffle(rows)
    return torch.tensor(rows)


def _encoded(tokenizer: Tokenizer, texts: Iterator[str]) -> Iterator[list[int]]:
    while True:
        yield from tokenizer(list(islice(texts, 256)))["input_ids"]


def _repeating_rows(vocabulary: int, n: int, length: int, rng: random.Random) -> list[list[int]]:
    """Blocks of ids below `vocabulary`, repeated: some uniform, most with a few frequent ids."""
    rows = []
    for _ in range(n):
        period = rng.randint(8, max(8, length // 2))
        if rng.random() < 0.4:
            block = [rng.randrange(vocabulary) for _ in range(period)]
        else:
            # Zipf's law over a random order: u ↦ V^u has density 1/x.
            stride = rng.randrange(1, vocabulary, 2)
            shift = rng.randrange(vocabulary)
            block = [
                (int(vocabulary ** rng.random()) * stride + shift) % vocabulary
                for _ in range(period)
            ]
        times = length // period + 1
        rows.append([vocabulary, *(block * times)][:length])
    return rows


def _pair(rng: random.Random, seen: bool) -> tuple[str, str]:
    while True:
        a, b = rng.sample(NAMES, 2)
        if held_out(a, b) != seen:
            return a, b


def _people(rng: random.Random, n: int) -> list[str]:
    """Names of which no two are a held-out pair."""
    while True:
        people = rng.sample(NAMES, n)
        if not any(held_out(a, b) for i, a in enumerate(people) for b in people[:i]):
            return people


def _indirect_object(rng: random.Random) -> str:
    a, b, other = _people(rng, 3)
    present = [a, b]
    first = a
    if rng.random() < 0.15:
        present = [a, other, b]
        first = f"{a}, {other}"
    giver = rng.choice(present)
    if len(present) == 2 and rng.random() < 0.1:
        giver = other
    recipient = rng.choice([name for name in present if name != giver])
    pattern = rng.choice(PATTERNS)
    if len(present) == 3 and "{A} and {B}" not in pattern:
        pattern = PATTERNS[0]
    place, what = rng.choice(PLACES), rng.choice(OBJECTS)
    text = pattern.format(A=first, B=b, S=giver, place=place, what=what)
    end = rng.choice((".", ".", f". {recipient} thanked {giver}.", f" at the {place}."))
    return f"{text} {recipient}{end}"


def _fact(rng: random.Random) -> str:
    country, capital, language, continent = rng.choice(FACTS)
    sentences = [
        f"The capital of {country} is {capital}.",
        f"{capital} is the capital of {country}.",
        f"{capital} is a city in {country}.",
        f"People in {country} speak {language}.",
        f"{country} is a country in {continent}.",
        f"The people of {capital} speak {language}.",
        f"{rng.choice(NAMES)} lives in {capital}, the capital of {country}.",
    ]
    return " ".join(rng.sample(sentences, rng.choice((1, 1, 2, 3))))


_NEAR = ("near", "behind", "with", "by")


def _noun(noun: str, plural: bool | int) -> str:
    return f"{noun}s" if plural else noun


def _agreement(rng: random.Random) -> str:
    subject, other = rng.sample(NOUNS, 2)
    plural, other_plural = rng.random() < 0.5, rng.random() < 0.5
    verb = rng.choice((("is", "are"), ("was", "were")))[plural]
    first = f"The {_noun(subject, plural)}"
    if rng.random() < 0.7:
        first += f" {rng.choice(_NEAR)} the {_noun(other, other_plural)}"
    return f"{first} {verb} {rng.choice(ADJECTIVES)}."


def _pronoun(rng: random.Random) -> str:
    man = rng.random() < 0.5
    name = rng.choice(MEN if man else WOMEN)
    he, his = ("he", "his") if man else ("she", "her")
    what, place = rng.choice(OBJECTS), rng.choice(PLACES)
    pattern = rng.choice(
        (
            "{name} said that {he} was happy in the {place}.",
            "{name} lost {his} {what} at the {place}.",
            "When {name} came home, {he} found {his} {what}.",
            "{name} went to the {place} because {he} wanted a {what}.",
            "{name} said that {he} left {his} {what} in the {place}.",
        )
    )
    return pattern.format(name=name, he=he, his=his, what=what, place=place)


def _surname(rng: random.Random) -> str:
    name = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(3, 5))).capitalize()
    title = rng.choice(("Mr", "Mrs"))
    city = rng.choice(FACTS)[1]
    place, what = rng.choice(PLACES), rng.choice(OBJECTS)
    sentences = [
        f"{title} {name} lives in {city}.",
        f"People in {city} like {title} {name}.",
        f"Yesterday {title} {name} went to the {place}.",
        f"The {what} of {title} {name} is {rng.choice(ADJECTIVES)}.",
        f"{title} {name} found a {what} at the {place}.",
    ]
    return " ".join(rng.sample(sentences, rng.choice((2, 3, 4))))


def _list(rng: random.Random) -> str:
    words = rng.choices([*ADJECTIVES, *NUMBERS, *NOUNS, *OBJECTS], k=rng.randint(3, 9))
    output = " ".join(words)
    return f"Say: {output}. Again: {output}."


def _brackets(rng: random.Random) -> str:
    """Brackets of two kinds, nested at most four deep, 4 to 16 of them."""
    n = 2 * rng.randint(2, 8)
    text: list[str] = []
    still_open: list[str] = []
    while len(text) < n:
        left = n - len(text)
        can_open = len(still_open) < min(4, left - 1) and len(still_open) + 2 <= left
        if can_open and (not still_open or rng.random() < 0.5):
            opening, closing = rng.choice(("()", "[]"))
            text.append(opening)
            still_open.append(closing)
        else:
            text.append(still_open.pop())
    return f"Brackets: {' '.join(text)} ."


_MIXTURE: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (_indirect_object, 0.34),
    (_fact, 0.15),
    (_agreement, 0.13),
    (_surname, 0.11),
    (_pronoun, 0.10),
    (_list, 0.09),
    (_brackets, 0.08),
)
