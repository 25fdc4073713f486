"""`mend import`: what a pipeline platform knows of its sources becomes the `connections:` of mend.yml."""
