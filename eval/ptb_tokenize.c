#include "eval/ptb_tokenize.h"

#include <string.h>

#include "eval/ptb_classes.h"
#include "eval/ptb_scanner.h"
#include "runtime/base/utf8.h"

/* ---- parts of patterns ---- */
#define LETTER "(%l|&[aeiouAEIOU](acute|grave|uml);)"
#define APOS "(%'|&apos;)"
#define APOSX "(%q|&apos;)"
#define WORD LETTER "(" LETTER "|%d)*([.!?]" LETTER "(" LETTER "|%d)*)*"
#define CLITIC APOS "(m|s|d|re|ve|ll)"
#define NOT "n" APOSX "t"
#define NAME "[A-Za-z][A-Za-z0-9_:.-]*"
#define TAG "<([!?][A-Za-z-][^>\n\r]*|" NAME "( +" NAME "(=('[^'\n\r]*'|\"[^\"\n\r]*\"))?)* */?|/" NAME ") *>"
#define URL_CHAR "[^ \t\n\f\r\"<>|(){}]"
#define URL_LAST "[^ \t\n\f\r\"<>|(){}.!?,-]"
#define URL_PATH "(/[^ \t\n\f\r\"<>|()]+[^ \t\n\f\r\"<>|().!?,-])?"
#define SLASH_PART "[A-Za-z0-9]+(-[A-Za-z]+){0,2}"
#define ACRONYM2 "[A-Za-z](.[A-Za-z])+"
#define ACRONYM "([A-Za-z](.[A-Za-z])*|(Canada|Sino|Korean|EU|Japan|non)-U.S|U.S.-U.K)"
#define SENTENCE_WORD                                                                                       \
  "%w+([A](bout|ccording|dditionally|fter|n|s|t)?|[B]ut|[E]arlier|[H](e|er|ere|owever)|[I](f|n|t)|[L]ast|[" \
  "M](any|ore|r.|s.)|[N]ow|"                                                                                \
  "[O](nce|ne|ther|ur)|[S](he|ince|o|ome|uch)|[T](hat|he|heir|hen|here|hese|hey|his)|[W](e|hen|hile|hat)|[" \
  "Y](et|ou)|" TAG ")%w"
#define MONTH_OR_DAY "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu|Thurs|Fri"
#define STATE                                                                                               \
  "Ala|Ariz|[A]z|[A]rk|Calif|Colo|Conn|Ct|Dak|[D]el|Fla|Ga|[I]ll|Ind|Kans?|Ky|[L]a|[M]ass|Md|Mich|Minn|[M]" \
  "iss|Mo|Mont|Neb|Nev|Okla|"                                                                               \
  "[O]re|[P]a|Penn|Tenn|[T]ex|Va|Vt|[W]ash|Wisc?|Wyo"
#define COMPANY "Inc|Cos?|Corp|Ltd|Plc|Pp?t[ye]s?|Rt|Bancorp|Bhd|Assn|Univ|Intl|Sys"
#define ABBREVIATION \
  "(" MONTH_OR_DAY "|" STATE "|" COMPANY "|tel|est|ext|sq|Jr|Sr|Bros|(Ed|Ph).D|Blvd|Rd|Esq|etc|al|seq|Bldg)"
#define TITLE                                                                                               \
  "Mr|Mrs|Ms|[M]iss|Drs?|Profs?|Sens?|Reps?|Attys?|Lt|Col|Gen|Messrs|Govs?|Adm|Rev|Maj|Sgt|Cpl|Pvt|Capt|"   \
  "Ste?|Ave|Pres|Lieut|Hon|Brig|"                                                                           \
  "Co?mdr|Pfc|Spc|Supts?|Det|Mt|Ft|Adj|Adv|Asst|Assoc|Ens|Insp|Mlle|Mme|Msgr|Sfc|vs|Alex|Wm|Jos|Cie|a.k.a|" \
  "cf|TREAS|Ph|Invt|Elec|Natl|"                                                                             \
  "M[ft]g|Dept"
#define FILE_TYPE                                                                                            \
  "(bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|pptx?|ps|py|" \
  "sql|tar|txt|wav|x|xml|zip)"
#define HYPHENATED "[A-Za-z0-9][A-Za-z0-9.,%9]*(-([A-Za-z0-9%9]+|" ACRONYM2 ".))+"
#define THING_PART "([dol]" APOS "%L)?[%L%d]+"
#define THING "(" THING_PART "(%h" THING_PART ")*)"
#define AMPERSAND "[A-Z]+([&+][A-Z]+)+"
#define EYE "[-^x=~<>']"

/* ---- what is done to a token's text ---- */
enum { NO_SOFT = 1, TO_NBSP = 2, TO_QUOTE = 4, TO_BRACKET = 8, TO_SYMBOL = 16, KEEP_PERIOD = 32 };

static const vlm_ptb_rule rules[] = {
#define X(match, ahead, give_back, change, text) {match, ahead},
#include "eval/ptb_rules.def"
#undef X
};

static const struct action {
  int give_back, change;
  const char *text;
} actions[] = {
#define X(match, ahead, give_back, change, text) {give_back, change, text},
#include "eval/ptb_rules.def"
#undef X
};

/* Characters that print as other text: X(change that asks for it, code point, text). */
static const struct replacement {
  int change;
  uint32_t code;
  const char *text;
} replacements[] = {
    {NO_SOFT, 0x00AD, ""},        {TO_NBSP, ' ', "\xC2\xA0"}, {TO_BRACKET, '(', "-LRB-"},
    {TO_BRACKET, ')', "-RRB-"},   {TO_QUOTE, 0x0091, "`"},    {TO_QUOTE, 0x0092, "'"},
    {TO_QUOTE, 0x0093, "``"},     {TO_QUOTE, 0x0094, "''"},   {TO_QUOTE, 0x00AB, "``"},
    {TO_QUOTE, 0x00BB, "''"},     {TO_QUOTE, 0x2018, "`"},    {TO_QUOTE, 0x2019, "'"},
    {TO_QUOTE, 0x201B, "`"},      {TO_QUOTE, 0x201C, "``"},   {TO_QUOTE, 0x201D, "''"},
    {TO_QUOTE, 0x2039, "`"},      {TO_QUOTE, 0x203A, "'"},    {TO_SYMBOL, 0x0080, "$"},
    {TO_SYMBOL, 0x00A2, "cents"}, {TO_SYMBOL, 0x00A3, "#"},   {TO_SYMBOL, 0x00A4, "$"},
    {TO_SYMBOL, 0x20A0, "$"},     {TO_SYMBOL, 0x20AC, "$"},   {TO_SYMBOL, 0x00BC, "1/4"},
    {TO_SYMBOL, 0x00BD, "1/2"},   {TO_SYMBOL, 0x00BE, "3/4"}, {TO_SYMBOL, 0x2153, "1/3"},
    {TO_SYMBOL, 0x2154, "2/3"},
};

static const char *const dropped[] = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".",
                                      "?",  "!", ",",  ":", "-",     "--",    "...",   ";"};

typedef struct buffer {
  char *data;
  size_t used, room;
} buffer;

typedef struct tokenizer {
  vlm_ptb_scanner *scanner;
  uint32_t *codes; /* the whole text, captions separated by line feeds */
  unsigned char *classes;
  int64_t count;
  buffer line; /* the tokens of the caption at hand */
  bool keep_punctuation;
  vlm_error *err;
} tokenizer;

static vlm_status put(buffer *b, const char *text, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (b->used + bytes + 1 > b->room) {
    const size_t more = 2 * (b->used + bytes + 64);
    VLM_TRY(vlm_more(&b->data, b->room, more, err));
    b->room = more;
  }
  if (bytes) memcpy(b->data + b->used, text, bytes);
  b->used += bytes;
out:
  return st;
}

static const char *find_replacement(int change, uint32_t code) {
  for (size_t i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++) {
    if ((replacements[i].change & change) && replacements[i].code == code) return replacements[i].text;
  }
  return NULL;
}

static bool is_cased(int class_) {
  return (class_ >= 'a' && class_ <= 'z') || (class_ >= 'A' && class_ <= 'Z') || class_ == VLM_PTB_UPPER ||
         class_ == VLM_PTB_LETTER;
}

/* Code point `at` of a token that spans [begin, end), in lower case. */
static vlm_status put_code(tokenizer *t, int64_t begin, int64_t at, int64_t end) {
  char text[8];
  uint32_t code = t->codes[at];
  if (code == 0x0130) return put(&t->line, "i\xCC\x87", 3, t->err);
  const bool last =
      (at + 1 == end || !is_cased(t->classes[at + 1])) && at > begin && is_cased(t->classes[at - 1]);
  code = code == 0x03A3 && last ? 0x03C2 : vlm_ptb_lower(code);
  return put(&t->line, text, vlm_utf8_put(text, code), t->err);
}

static vlm_status put_lower_ascii(tokenizer *t, const char *text) {
  vlm_status st = VLM_OK;
  for (; *text; text++) {
    const char c = (char)(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text);
    VLM_TRY(put(&t->line, &c, 1, t->err));
  }
out:
  return st;
}

/* Takes the token that begins at `start` of the line away again when it is punctuation that is not scored. */
static void drop_punctuation(tokenizer *t, size_t before, size_t start) {
  const size_t bytes = t->line.used - start;
  for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
    if (strlen(dropped[i]) == bytes && memcmp(dropped[i], t->line.data + start, bytes) == 0)
      t->line.used = before;
  }
}

static vlm_status put_token(tokenizer *t, const struct action *action, int64_t begin, int64_t end) {
  vlm_status st = VLM_OK;
  const size_t before = t->line.used;
  if (before) VLM_TRY(put(&t->line, " ", 1, t->err));
  const size_t start = t->line.used;
  if (action->text) VLM_TRY(put_lower_ascii(t, action->text));
  for (int64_t at = begin; at < end && !action->text; at++) {
    const char *text = action->change ? find_replacement(action->change, t->codes[at]) : NULL;
    if (text) VLM_TRY(put_lower_ascii(t, text));
    else VLM_TRY(put_code(t, begin, at, end));
  }
  if (t->line.used == start) VLM_TRY(put(&t->line, "-", 1, t->err)); /* nothing but soft hyphens */
  if (!t->keep_punctuation) drop_punctuation(t, before, start);
out:
  return st;
}

/* Entities that stand for a quotation mark inside a token whose quotation marks are normalised. */
static vlm_status put_entity_token(tokenizer *t, const struct action *action, int64_t begin, int64_t end,
                                   bool *done) {
  static const char entity[] = "&apos;";
  vlm_status st = VLM_OK;
  int64_t at = begin, k = 0;
  *done = false;
  while (at < end && t->codes[at] != '&') at++;
  while (k < 6 && at + k < end && t->codes[at + k] == (uint32_t)entity[k]) k++;
  if (!(action->change & TO_QUOTE) || k < 6) return VLM_OK;
  /* The entity becomes one apostrophe in place: its other characters are overwritten by what follows and the token gets shorter. */
  t->codes[at + 5] = '\'';
  t->classes[at + 5] = '\'';
  for (int64_t i = at - 1; i >= begin; i--) {
    t->codes[i + 5] = t->codes[i];
    t->classes[i + 5] = t->classes[i];
  }
  VLM_TRY(put_token(t, action, begin + 5, end));
  *done = true;
out:
  return st;
}

/* Tokens of one line that begins at *at; leaves *at behind its line feed. */
static vlm_status tokenize_line(tokenizer *t, int64_t *at) {
  vlm_status st = VLM_OK;
  t->line.used = 0;
  while (*at < t->count && t->codes[*at] != '\n') {
    int32_t rule;
    int64_t length;
    bool done;
    VLM_TRY(vlm_ptb_scan(t->scanner, &rule, &length, t->classes + *at, t->count - *at, t->err));
    const struct action *action = rule < 0 ? NULL : &actions[rule];
    const int64_t end = *at + length - (action ? action->give_back : 0);
    if (action) {
      const int64_t text_end = action->change & KEEP_PERIOD ? *at + length : end;
      VLM_TRY(put_entity_token(t, action, *at, text_end, &done));
      if (!done) VLM_TRY(put_token(t, action, *at, text_end));
    }
    *at = end;
  }
  (*at)++;
  VLM_TRY(put(&t->line, "", 0, t->err));
  t->line.data[t->line.used] = 0;
out:
  return st;
}

/* Appends a caption's code points; line ends inside become blanks. */
static vlm_status decode(tokenizer *t, const char *text, size_t bytes, int64_t index) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < bytes;) {
    uint32_t code;
    const size_t used = vlm_utf8_next(text + i, bytes - i, &code);
    VLM_CHECK(code != VLM_UTF8_BAD, t->err, VLM_INPUT, "caption %lld is not valid UTF-8 at byte %zu",
              (long long)index, i);
    int class_ = vlm_ptb_class(code);
    if ((class_ >= '\n' && class_ <= '\r') || class_ == VLM_PTB_NEWLINE) class_ = (int)(code = ' ');
    t->codes[t->count] = code;
    t->classes[t->count++] = (unsigned char)class_;
    i += used;
  }
out:
  return st;
}

static vlm_status join(tokenizer *t, const char *const *texts, int64_t count) {
  vlm_status st = VLM_OK;
  size_t room = 1;
  for (int64_t i = 0; i < count; i++) {
    const size_t bytes = strlen(texts[i]);
    VLM_CHECK(bytes <= VLM_PTB_MAX_CAPTION, t->err, VLM_LIMIT, "caption %lld has %zu bytes, the limit is %d",
              (long long)i, bytes, VLM_PTB_MAX_CAPTION);
    VLM_CHECK(vlm_size_add(room, bytes + 1, &room), t->err, VLM_LIMIT, "captions are too long");
  }
  VLM_TRY(vlm_new(&t->codes, room, t->err));
  VLM_TRY(vlm_new(&t->classes, room, t->err));
  for (int64_t i = 0; i < count; i++) {
    if (i) t->codes[t->count] = '\n', t->classes[t->count++] = '\n';
    VLM_TRY(decode(t, texts[i], strlen(texts[i]), i));
  }
out:
  return st;
}

vlm_status vlm_ptb_tokenize(const char **tokens, vlm_arena *arena, const char *const *texts, int64_t count,
                            const vlm_ptb_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  tokenizer t = {.err = err, .keep_punctuation = opts && opts->keep_punctuation};
  int64_t at = 0;
  VLM_TRY(vlm_ptb_scanner_create(&t.scanner, rules, (int32_t)(sizeof(rules) / sizeof(rules[0])), err));
  VLM_TRY(join(&t, texts, count));
  for (int64_t i = 0; i < count; i++) {
    VLM_TRY(tokenize_line(&t, &at));
    VLM_TRY(vlm_arena_strdup(arena, &tokens[i], t.line.data, err));
  }
out:
  vlm_ptb_scanner_free(t.scanner);
  vlm_free(t.codes);
  vlm_free(t.classes);
  vlm_free(t.line.data);
  return st;
}
