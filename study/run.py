"""The study command: `python study/run.py --grid kesl_ablation`. `--help` lists what it takes."""

from study.command import console

if __name__ == "__main__":
    console()
