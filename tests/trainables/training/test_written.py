"""Tables of labels by hand; that trials write them stands in test_fit.py."""

import torch
from torch import tensor

from trainables.data.data import Data, Split
from trainables.training import written


def data(y: list[int], truth: list[int]) -> Data:
    images = torch.zeros(len(y), 1, 1, 1, dtype=torch.uint8)
    split = Split(images, torch.arange(len(y)) + 7, tensor(y), tensor(truth))
    still = torch.zeros(1, 1, 1, 1)
    return Data(("a", "b, c"), 1, still, still, split, None, None)


def test_soft_labels_have_a_row_of_names_and_a_row_a_class() -> None:
    soft = tensor([[1.0, 0.0], [0.25, 0.75]])
    assert written.soft_labels(soft, ("a", "b")) == "a,b\n1,0\n0.25,0.75\n"
    assert written.soft_labels(soft, ("a", "b, c")) == 'a,"b, c"\n1,0\n0.25,0.75\n'


def test_counts_are_by_true_and_by_given_labels() -> None:
    table = written.class_counts(data([0, 1, 1], [0, 0, 1]))
    assert table == 'class,images,given\na,2,1\n"b, c",1,2\n'


def test_wrong_labels_are_named_by_their_rows_in_the_source() -> None:
    table = written.wrong_labels(data([0, 1, 1], [0, 0, 1]))
    assert table == "split,row,clean,given\ntrain,8,0,1\n"


def test_what_a_method_tells_has_class_names_beside_the_places_of_images() -> None:
    columns = {"index": tensor([2, 0]), "loss": tensor([0.5, 2]), "w": tensor([[1, 0], [0, 0.25]])}
    table = written.of_method(columns, data([0, 1, 1], [0, 0, 1]))
    assert table == 'given,clean,loss,w0,w1\n"b, c","b, c",0.5,1,0\na,a,2,0,0.25\n'
    alone = written.of_method({"images": tensor([3, 1])}, data([0], [0]))
    assert alone == "images\n3\n1\n"
