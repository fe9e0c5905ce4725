"""The synthetic language: seeded, as documented, and what is held out stays out."""

import itertools
import re
import subprocess
import sys
from collections import Counter

import pytest
import torch

from course import language
from course.language import (
    HELD_OUT_PATTERNS,
    NAMES,
    PATTERNS,
    agreement_prompts,
    capital_prompts,
    documents,
    held_out,
    indirect_object_prompts,
    token_rows,
)
from course.training.tokenizer import (
    VOCABULARY,
    WordsFallApart,
    content_words,
    train_tokenizer,
)


@pytest.fixture(scope="module")
def texts():
    return list(itertools.islice(documents(5), 4000))


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(128)


def names_in(text):
    return [word for word in re.findall(r"[A-Za-z]+", text) if word in NAMES]


def test_the_language_needs_no_torch():
    program = "import sys, course.language; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_seed_gives_the_same_documents_and_another_seed_others(texts):
    assert list(itertools.islice(documents(5), 4000)) == texts
    assert list(itertools.islice(documents(6), 100)) != texts[:100]


def test_every_kind_of_document_comes_up(texts):
    signs = ("to", "capital", " are ", "Mr ", " his ", "Say: ", "Brackets: ")
    for sign in signs:
        assert sum(sign in text for text in texts) > 100, sign


def test_held_out_pairs_of_names_never_stand_in_one_document(texts):
    pairs = {pair for t in texts for pair in itertools.combinations(sorted({*names_in(t)}), 2)}
    assert len(pairs) > 500
    assert not [pair for pair in pairs if held_out(*pair)]


def test_one_pair_in_ten_is_held_out_whatever_the_order():
    pairs = list(itertools.combinations(NAMES, 2))
    assert 0.07 < sum(held_out(a, b) for a, b in pairs) / len(pairs) < 0.13
    assert all(held_out(a, b) == held_out(b, a) for a, b in pairs)


def test_held_out_patterns_are_not_in_training_documents(texts):
    for pattern in HELD_OUT_PATTERNS:
        form = re.sub(r"\\{\w+\\}", r"\\w+", re.escape(pattern))
        assert not [text for text in texts if re.match(form, text)]
    form = re.sub(r"\\{\w+\\}", r"\\w+", re.escape(PATTERNS[0]))
    assert [text for text in texts if re.match(form, text)]


def test_the_giver_never_receives_and_the_recipient_is_present(texts):
    found: Counter[tuple[int, bool]] = Counter()
    for pattern in PATTERNS:
        form = re.escape(pattern).replace(r"\{A\}", r"(?P<A>[\w, ]+?)")
        form = re.sub(r"\\{(B|S)\\}", r"(?P<\1>\\w+)", form)
        form = re.sub(r"\\{\w+\\}", r"\\w+", form) + r" (?P<recipient>\w+)"
        for text in texts:
            if gift := re.match(form, text):
                present = [*names_in(gift["A"]), gift["B"]]
                assert gift["recipient"] in present and gift["recipient"] != gift["S"]
                found[len(present), gift["S"] in present] += 1
    total = sum(found.values())
    assert total > 1000
    # As the module says: three people in one of seven, a newcomer gives in one of ten of the rest.
    assert found[3, True] / total == pytest.approx(1 / 7, abs=0.04)
    assert found[2, False] / found.total() == pytest.approx(0.085, abs=0.03)
    assert found[3, False] == 0


def test_brackets_are_balanced_and_at_most_four_deep(texts):
    deepest = 0
    for text in (t for t in texts if t.startswith("Brackets: ")):
        still_open = []
        for sign in text.removeprefix("Brackets: ").removesuffix(" .").split():
            if sign in "([":
                still_open.append(sign)
            else:
                assert {"(": ")", "[": "]"}[still_open.pop()] == sign
            deepest = max(deepest, len(still_open))
        assert still_open == []
    assert deepest == 4


def test_lists_are_said_twice_alike(texts):
    lists = [t for t in texts if t.startswith("Say: ")]
    for text in lists:
        first, second = text.removeprefix("Say: ").removesuffix(".").split(". Again: ")
        assert first == second


def test_prompts_of_indirect_objects_ask_for_the_one_who_does_not_give():
    prompts = indirect_object_prompts(100, 1)
    assert prompts == indirect_object_prompts(100, 1)
    first_named = 0
    for prompt in prompts:
        *present, giver = names_in(prompt.text)
        assert sorted((prompt.answer, prompt.wrong)) == sorted(f" {name}" for name in present)
        assert prompt.wrong == f" {giver}"
        assert held_out(*present)
        *same, third = names_in(prompt.corrupted)
        assert same == present and third not in present
        first_named += present[0] == giver
    assert 30 < first_named < 70
    seen = indirect_object_prompts(20, 1, seen_pairs=True)
    assert not [p for p in seen if held_out(p.answer.strip(), p.wrong.strip())]


def test_prompts_of_capitals_and_of_agreement():
    capitals = capital_prompts()
    assert len(capitals) == 32
    assert capitals[0].text == "The capital of France is" and capitals[0].answer == " Paris"
    assert all(p.answer != p.wrong and p.corrupted != p.text for p in capitals)
    for prompt in agreement_prompts(50, 2):
        _, subject, _, _, other = prompt.text.split()
        assert subject.endswith("s") != other.endswith("s")
        assert prompt.answer == (" are" if subject.endswith("s") else " is")
        assert {prompt.answer, prompt.wrong} == {" is", " are"}


def test_every_content_word_is_one_token_and_surnames_are_several(tokenizer):
    assert len(tokenizer) == VOCABULARY
    assert all(len(tokenizer.encode(word)) == 1 for word in content_words())
    assert len(tokenizer.encode(" Dofilako")) > 2
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == VOCABULARY - 1


def test_text_survives_the_tokenizer(tokenizer, texts):
    for text in [*texts[:50], "naïve ≠ 数\n\t x", ""]:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_corrupted_prompt_has_as_many_tokens(tokenizer):
    prompts = [*indirect_object_prompts(50, 3), *capital_prompts(), *agreement_prompts(50, 3)]
    for prompt in prompts:
        assert len(tokenizer.encode(prompt.text)) == len(tokenizer.encode(prompt.corrupted))


def test_a_vocabulary_that_is_too_small_is_refused(monkeypatch):
    monkeypatch.setattr("course.training.tokenizer.VOCABULARY", 500)
    with pytest.raises(WordsFallApart, match="not one token of 500"):
        train_tokenizer(128)


def test_rows_begin_with_the_end_of_text_token_and_are_full(tokenizer):
    rows = token_rows(tokenizer, 50, 65, 4)
    assert rows.shape == (50, 65) and rows.dtype == torch.int64
    assert (rows[:, 0] == tokenizer.bos_token_id).all()
    assert torch.equal(rows, token_rows(tokenizer, 50, 65, 4))
    assert not torch.equal(rows, token_rows(tokenizer, 50, 65, 5))


def period(row):
    text = row[1:]
    fits = (k for k in range(1, len(text)) if torch.equal(text[k:], text[:-k]))
    return next(fits, None)


def test_the_share_of_rows_that_repeat_is_as_asked_and_their_periods_differ(tokenizer):
    rows = token_rows(tokenizer, 100, 129, 4, repeats=1.0)
    periods = {period(row) for row in rows}
    assert all(p is not None and 8 <= p <= 64 for p in periods)
    assert len(periods) > 30
    assert not [row for row in token_rows(tokenizer, 30, 129, 4, repeats=0.0) if period(row)]


def test_rows_of_text_are_documents_with_end_of_text_between(tokenizer):
    (row,) = token_rows(tokenizer, 1, 129, 4, repeats=0.0)
    first, *more = tokenizer.decode(row[1:]).split(language.END_OF_TEXT)
    assert len(more) > 1
    assert first.endswith(".")
