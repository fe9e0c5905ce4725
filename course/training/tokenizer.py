"""Train the tokenizer of `tiny-gpt2`: a byte-level BPE like GPT-2's, with a smaller vocabulary."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from course import language

if TYPE_CHECKING:
    from transformers import GPT2Tokenizer

VOCABULARY = 1280  # of fewer tokens, some content words would fall apart
DOCUMENTS = 20_000
SEED = 1


class WordsFallApart(ValueError):
    """Content words that are not one token in the trained vocabulary; the message lists them."""


def content_words() -> list[str]:
    """Words that must be single tokens after a space; names also without one, at a start."""
    facts = {word for fact in language.FACTS for word in fact}
    nouns = {form for noun in language.NOUNS for form in (noun, f"{noun}s")}
    words = {
        *language.NAMES,
        *language.PLACES,
        *language.OBJECTS,
        *facts,
        *nouns,
        *language.ADJECTIVES,
        *language.NUMBERS,
    }
    return sorted(f" {word}" for word in words) + sorted(language.NAMES)


def train_tokenizer(context: int) -> GPT2Tokenizer:
    """The tokenizer, from its seed; `context` is the longest text, in tokens.

    Raises:
        WordsFallApart: the vocabulary is too small for the language.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Tokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = content_words()
    # Content words are said often enough that each is merged before the syllables of surnames.
    boost = [word for word in words for _ in range(2000)]
    bpe.train_from_iterator([*islice(language.documents(SEED), DOCUMENTS), *boost], trainer)
    bpe.add_special_tokens([language.END_OF_TEXT])
    tokenizer = GPT2Tokenizer(
        tokenizer_object=bpe,
        bos_token=language.END_OF_TEXT,
        eos_token=language.END_OF_TEXT,
        unk_token=language.END_OF_TEXT,
        model_max_length=context,
    )
    if len(tokenizer) != VOCABULARY or tokenizer.bos_token_id != VOCABULARY - 1:
        raise WordsFallApart(f"{len(tokenizer)} tokens, not {VOCABULARY}")
    apart = [word for word in words if len(tokenizer.encode(word)) != 1]
    if apart:
        raise WordsFallApart(f"not one token of {VOCABULARY}: {', '.join(apart)}")
    return tokenizer
