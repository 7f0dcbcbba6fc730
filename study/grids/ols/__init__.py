"""The tables and figures of online label smoothing (Zhang et al., TIP 2021)."""
