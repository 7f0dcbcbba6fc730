"""The tables and figures on class-name vectors as soft labels (Zhong et al.)."""

PREFIX = "word"
