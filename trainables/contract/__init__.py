"""Contract: what every part must keep to, as checks; this file is the face of the folder."""

from trainables.contract.contract import CHECKS, check_contract, shortened
from trainables.contract.declared import check_declared, check_suggest

__all__ = ["CHECKS", "check_contract", "check_declared", "check_suggest", "shortened"]
