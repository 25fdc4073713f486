"""How fast, how lean: ratios against a bare Bolt app and a bare driver, measured side by side in one run."""
