"""What the checks accept, what they say, and that a result cannot argue with them."""

import pytest
import torch

from course.checks import (
    check_close,
    check_equal,
    check_gradients,
    check_no_slip,
    check_rules,
    check_shape,
    check_tensor,
)

X = torch.arange(12.0).reshape(3, 4) / 10 + 0.3


def complaint(check, *args, **kwargs) -> str:
    with pytest.raises(AssertionError) as caught:
        check(*args, **kwargs)
    return str(caught.value)


def test_right_results_pass_in_silence():
    check_tensor(X, "f", dtype=torch.float32)
    check_shape(X, (3, 4), "f")
    check_close(X + 1e-7, X, "f")
    check_close(X.clone().requires_grad_(), X, "f")
    check_close(X.double(), X, "f")
    check_equal(torch.tensor([1, 2]), torch.tensor([1, 2]), "f")
    check_equal({"a": [1, (2.0, None)], "b": {3}}, {"a": [1, (2.0, None)], "b": {3}}, "f")
    check_equal({"x": X.clone()}, {"x": X}, "f")


@pytest.mark.parametrize("got", [0.5, torch.tensor(0.5), torch.tensor(0.5, dtype=torch.float64)])
def test_a_number_may_come_as_a_float_or_as_a_tensor_without_axes(got):
    check_close(got, 0.5, "score")
    assert "score: the value is wrong" in complaint(check_close, got, 0.6, "score")


def test_what_is_not_a_tensor_is_named_with_the_likely_mistake():
    assert complaint(check_tensor, None, "f") == (
        "f: got NoneType, expected torch.Tensor. Is there a return statement?"
    )
    assert "torch.stack" in complaint(check_tensor, [X], "f")
    assert ".item()" in complaint(check_tensor, 3.0, "f")
    assert ".detach()" in complaint(check_tensor, torch.nn.Parameter(X), "f")
    assert "return statement" in complaint(check_close, None, 0.5, "f")


def test_a_wrong_dtype_is_named():
    message = complaint(check_tensor, X, "tokens", dtype=torch.int64)
    assert "got dtype torch.float32, expected torch.int64" in message
    assert "whole numbers" in message
    assert "torch.int64, expected torch.float32" in complaint(check_close, X.long(), X, "f")


@pytest.mark.parametrize(
    ("got", "want", "axes", "slip"),
    [
        ((4, 3), (3, 4), "", "transposed"),
        ((3, 5), (3, 4), "batch pos", "one entry too many along pos"),
        ((3, 3), (3, 4), "", "one entry too few along axis 1"),
        ((4,), (3, 4), "batch pos", "The batch is missing"),
        ((3, 1), (3, 4), "batch pos", "Only one entry is left along pos"),
        ((1, 3, 4), (3, 4), "", "Axis 0 of the result is one too many"),
    ],
)
def test_a_wrong_shape_names_both_shapes_and_the_mistake(got, want, axes, slip):
    message = complaint(check_shape, torch.zeros(got), want, "f", axes=axes)
    assert f"got shape {got}, expected {want}" in message
    assert slip in message


@pytest.mark.parametrize(
    ("got", "slip"),
    [
        (-X, "opposite"),
        (2 * X, "Everything is 2 times"),
        (X.roll(1, -1), "one place too late"),
        (X.roll(-1, -1), "one place too early"),
        (torch.zeros_like(X), "Every entry is zero"),
        (X.where(X > 0.5, torch.nan), "NaN"),
        (X.where(X > 0.5, torch.inf), "infinite"),
    ],
)
def test_wrong_values_name_the_mistake_that_explains_them(got, slip):
    assert slip in complaint(check_close, got, X, "f")


def test_swapped_axes_of_a_square_are_seen():
    square = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))
    assert "last two axes are swapped" in complaint(check_close, square.T.clone(), square, "f")


def test_a_hint_replaces_the_guess_and_is_kept_for_values():
    assert complaint(check_close, 2 * X, X, "f", hint="Divide by T.").endswith("Divide by T.")
    assert "Divide" not in complaint(check_close, X[0], X, "f", hint="Divide by T.")


def test_the_message_says_where_and_how_many_but_never_the_answer():
    got = X.clone()
    got[1, 2] += 0.25
    message = complaint(check_close, got, X, "f")
    assert "1 of 12 entries are wrong" in message
    assert "(1, 2)" in message
    assert "0.9" not in message and "1.15" not in message
    secret = complaint(check_equal, "a guess", "the secret word", "f")
    assert "secret" not in secret
    assert "7 entries, expected 15" in secret


def test_nan_equals_only_nan():
    with_nan = torch.tensor([1.0, torch.nan])
    check_close(with_nan, with_nan.clone(), "f")
    check_equal(with_nan, with_nan.clone(), "f")
    check_equal([with_nan, float("nan")], [with_nan.clone(), float("nan")], "f")
    complaint(check_close, torch.tensor([1.0, 2.0]), with_nan, "f")
    complaint(check_equal, torch.tensor([torch.nan, torch.nan]), with_nan, "f")


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (True, 1),
        (1, True),
        (1.0, 1),
        ([1, 2], (1, 2)),
        ([1, 3], [1, 2]),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1, "b": 1}, {"a": 1}),
        ({1, 2}, {1, 3}),
        ([[True]], [[1]]),
        (torch.tensor([1, 2]), torch.tensor([1, 3])),
        (torch.tensor([1]), torch.tensor([1], dtype=torch.int32)),
        ([torch.tensor([1])], [torch.tensor([1], dtype=torch.int32)]),
        ([torch.tensor([1])], [torch.tensor([[1]])]),
        (None, 0),
    ],
)
def test_equality_is_of_types_as_well(got, want):
    complaint(check_equal, got, want, "f")


def test_a_wrong_type_is_named_beside_the_expected_one():
    assert complaint(check_equal, True, 1, "answer") == "answer: got bool, expected int."
    assert complaint(check_equal, X, "pos", "axis") == "axis: got torch.Tensor, expected str."


class AlwaysEqual:
    """What a cheater would return: equal to everything, true, with every method."""

    shape = (3, 4)
    dtype = torch.float32
    __hash__ = object.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __getattr__(self, name):
        return lambda *args, **kwargs: X

    def __torch_function__(self, *args, **kwargs):
        return torch.tensor(True)

    def __float__(self):
        return 0.5

    @property  # type: ignore[misc]
    def __class__(self):
        return torch.Tensor


class AgreeingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return torch.tensor(True)


class AgreeingKind(type):
    """A type that says it is every other type."""

    def __eq__(cls, other):
        return True

    __hash__ = type.__hash__


class OfAgreeingKind(metaclass=AgreeingKind):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("a")

    def __float__(self):
        return 0.5


@pytest.mark.parametrize(
    "got", [AlwaysEqual(), torch.zeros(3, 4).as_subclass(AgreeingTensor), OfAgreeingKind()]
)
def test_an_object_that_equals_everything_is_refused(got):
    complaint(check_tensor, got, "f")
    complaint(check_shape, got, (3, 4), "f")
    complaint(check_close, got, X, "f")
    complaint(check_close, got, 0.5, "f")
    complaint(check_equal, got, X, "f")
    complaint(check_equal, got, "a", "f")
    complaint(check_equal, [got], ["a"], "f")
    complaint(check_equal, {got}, {"a"}, "f")
    complaint(check_equal, {got: 1}, {"a": 1}, "f")


def test_methods_hung_on_a_tensor_are_not_called():
    got = torch.zeros(3, 4)
    for name in ("detach", "to", "double", "float", "isnan", "all", "abs", "__sub__", "__eq__"):
        setattr(got, name, lambda *args, **kwargs: X.double())
    complaint(check_close, got, X, "f")
    complaint(check_equal, got, X, "f")


def test_a_matching_slip_takes_the_place_of_the_hint():
    slips = {"Divided twice.": X / 2, "Nothing was added.": X}
    message = complaint(check_close, X, X + 1, "f", hint="Look again.", slips=slips)
    assert message.endswith("Nothing was added.")
    assert complaint(check_close, 0.5, 2.0, "f", slips={"Half.": 0.5}).endswith("Half.")
    other = complaint(check_close, X * X, X + 1, "f", hint="Look again.", slips=slips)
    assert other.endswith("Look again.")


def test_a_slip_that_changes_the_shape_is_named_beside_both_shapes():
    message = complaint(check_close, X.sum(0), X, "f", slips={"Over all rows.": X.sum(0)})
    assert "got shape (4,), expected (3, 4)" in message
    assert message.endswith("Over all rows.")
    assert "The axis 0 is missing" in complaint(check_close, X[0], X, "f", slips={"No.": X.sum(0)})


def test_a_slip_is_named_where_the_right_value_is_not_known():
    slips: dict[str, torch.Tensor | float]
    slips = {"Every head is gone.": X + 1, "Only the last position.": 3.0}
    check_no_slip(X, "f", slips)
    check_no_slip(X[0], "f", slips)
    assert complaint(check_no_slip, X + 1, "f", slips).endswith("Every head is gone.")
    assert complaint(check_no_slip, 3.0, "f", slips).endswith("Only the last position.")
    assert "return statement" in complaint(check_no_slip, None, "f", slips)


def scaled(x, w):
    return x * w


W = torch.tensor([1.0, 2.0, 3.0, 4.0])


def numbers_of(x):
    return torch.tensor(x.tolist(), dtype=x.dtype)


def without_gradients(x, w):
    with torch.no_grad():
        return x * w


def in_place(x, w):
    return w.mul_(2) * x / 2


def through_numpy(x, w):
    return torch.from_numpy(x.numpy() * w.numpy())


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x, w: (x * w).float(), "it is given torch.float64 and returns torch.float32"),
        (in_place, "its argument w was changed"),
        (lambda x, w: x * w.detach(), "no gradient reaches w"),
        (lambda x, w: numbers_of(x) * w, "no gradient reaches x"),
        (without_gradients, "no gradient reaches x"),
        (lambda x, w: x * x.detach() * w, "reaches x is not the slope of what is computed"),
        (through_numpy, "fails when gradients are to be computed"),
    ],
)
def test_the_rule_that_is_broken_is_named(f, said):
    assert said in complaint(check_rules, f, (X, W), "f", names=("x", "w"))


def masked(x, w):
    return torch.where(x > 1, float("-inf"), x * w), {"twice": [2 * w]}


def test_functions_that_keep_the_rules_pass_in_silence():
    check_rules(scaled, (X, W), "f", names=("x", "w"))
    check_rules(masked, (X, W), "f", names=("x", "w"))
    check_rules(lambda xs, f: f(xs[1]), ((X, W), torch.sin), "f", names=("x", "w"))


def test_whole_numbers_among_the_arguments_need_no_gradient():
    ids = torch.tensor([2, 0])
    check_gradients(lambda ids, w: w[ids], (ids, W), "f", names=("ids", "w"))
    message = complaint(check_rules, lambda i, w: w[i.zero_()], (ids, W), "f", names=("ids", "w"))
    assert "its argument ids was changed" in message
