"""The methods of the tables on advisor networks, by their printed names."""

from typing import Any

from trainables.data.samplers.resample import Resample
from trainables.data.sources.cifar import Cifar100
from trainables.heads.cosine import Cosine
from trainables.heads.linear import Linear
from trainables.losses.balanced_softmax import BalancedSoftmax
from trainables.losses.equalization import Equalization
from trainables.losses.focal import Focal
from trainables.losses.ldam import LDAM
from trainables.losses.mentor_net import MentorNet
from trainables.losses.noise_adaptation import NoiseAdaptation
from trainables.losses.reweighted import Reweighted
from trainables.losses.self_paced import SelfPaced
from trainables.losses.sigmoid_focal import SigmoidFocal
from trainables.methods.advisor import Advisor
from trainables.methods.co_teaching import CoTeaching
from trainables.methods.decoupled import CRT, LWS
from trainables.methods.fine_tuning import FineTuning
from trainables.methods.gdw import GDW
from trainables.methods.glc import GLC
from trainables.methods.l2rw import L2RW
from trainables.methods.meta_sampler import MetaSampler
from trainables.methods.mw_net import MWNet
from trainables.settings import Use
from trainables.targets.bootstrap import Boothard
from trainables.targets.dimensionality import DimensionalityDriven
from trainables.trial import Trial

BASELINE = "Baseline (CE)"
# With the constants of each method's own paper or public code.
METHODS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "CBW": {"loss": Use(Reweighted, rule="inverse")},
    "CBS": {"recipe.sampling": Use(Resample)},
    "Focal": {"loss": Use(Focal)},
    "Fine-tuning": {"method": Use(FineTuning)},
    "CB loss": {
        "head": Use(Linear, bias="prior"),
        "loss": Use(Reweighted, loss=Use(SigmoidFocal, gamma=1.0), rule="effective", beta=0.9999),
    },
    "LDAM": {"head": Use(Cosine), "loss": Use(LDAM)},
    "LDAM-DRW": {
        "head": Use(Cosine),
        "loss": Use(Reweighted, loss=Use(LDAM), rule="effective", beta=0.9999, start=0.8),
    },
    "Equalization loss": {"loss": Use(Equalization)},
    "cRT": {"method": Use(CRT)},
    "LWS": {"method": Use(LWS)},
    "Reed-hard": {"targets": Use(Boothard)},
    "S-Model": {"loss": Use(NoiseAdaptation)},
    "Self-paced": {"loss": Use(SelfPaced)},
    "MentorNet": {"loss": Use(MentorNet)},
    "Co-teaching": {"method": Use(CoTeaching)},
    "D2L": {"targets": Use(DimensionalityDriven)},
    "GLC": {"method": Use(GLC)},
    "L2RW": {"method": Use(L2RW)},
    "MW-Net": {"method": Use(MWNet)},
    "FaMUS CE": {"method": Use(MWNet, layers=15)},
    "GDW": {"method": Use(GDW)},
    "BALMS": {"loss": Use(BalancedSoftmax), "method": Use(MetaSampler)},
    "MFRW": {"method": Use(Advisor, weighs="features")},
    "MES": {"method": Use(Advisor, weighs="softmax")},
    "MFRW-MES": {"method": Use(Advisor, weighs="both")},
}
# A search leaves alone what makes a row that row.
FIXED = {
    "CBW": ("loss.rule", "loss.start"),
    "CB loss": ("loss.rule", "loss.start"),
    "LDAM-DRW": ("loss.rule", "loss.start"),
}
GDW_RATES = {Cifar100: 1000.0}  # of its public code; 100 otherwise


def with_method(trial: Trial, name: str) -> Trial | None:
    """The trial by the method of that name; None for one that is not here."""
    if name not in METHODS:
        return None
    parts = dict(METHODS[name])
    if name == "GDW" and trial.data.source.part in GDW_RATES:
        parts["method"] = parts["method"].but(rate=GDW_RATES[trial.data.source.part])
    if name == "Co-teaching":  # which is told how many labels are wrong
        rates = [use["rate"] for use in trial.data.corrupt]
        parts["method"] = parts["method"].but(forget=max(rates, default=0.0))
    return trial.set(parts)
