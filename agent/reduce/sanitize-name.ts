/**
 * Span names with what varies from request to request taken out, so that a name may be a key:
 * `GET /users/123` becomes `GET /users/{n}`. A word keeps digits that belong to it (`v1`, `oauth2`).
 */
const nameCharactersMax = 200;

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const word = /[\p{L}\p{N}]+/gu;
const allDigits = /^\p{Nd}+$/u;
const hexWithDigit = /^(?=\D*\d)(?:0x)?[0-9a-f]{8,}$/i;
const digitRun = /\d{4,}/g;
const longMixedWord = 20;
const mixedDigitsMin = 3;

/** A name of low cardinality, at most 200 characters and a mark where it was cut. */
export function sanitizeName(name: string): string {
  const short = name.length > nameCharactersMax ? `${name.slice(0, nameCharactersMax)}…` : name;
  return short.trim().replace(uuid, "{uuid}").replace(word, templateWord);
}

function templateWord(text: string): string {
  if (allDigits.test(text)) return "{n}";
  if (hexWithDigit.test(text)) return "{hex}";
  if (text.length >= longMixedWord && digitCount(text) >= mixedDigitsMin) return "{id}";
  return text.replace(digitRun, "{n}");
}

function digitCount(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 48 && code <= 57) count++;
  }
  return count;
}
