"""Storage: where trials and their results live, on a disk or on S3."""
