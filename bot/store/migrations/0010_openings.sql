-- What the model went on from, where that is more than the prompt: a song that was continued.

ALTER TABLE request ADD COLUMN opening TEXT;
