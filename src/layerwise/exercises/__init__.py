"""What a learner's answer is compared with: one module a chapter, and how they say it."""
