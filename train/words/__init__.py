"""What is known of words: rhymes, near duplicates, wording, copied runs."""
