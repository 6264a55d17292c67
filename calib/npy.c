#include "calib/npy.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static const char magic[6] = "\x93NUMPY";

/* Type codes of a header's descr, after the byte-order mark. */
static const struct {
  const char *code;
  vlm_dtype dtype;
} codes[] = {
    {"b1", VLM_BOOL}, {"i1", VLM_S8},  {"i2", VLM_S16}, {"i4", VLM_S32}, {"i8", VLM_S64}, {"u1", VLM_U8},
    {"u2", VLM_U16},  {"u4", VLM_U32}, {"u8", VLM_U64}, {"f2", VLM_F16}, {"f4", VLM_F32}, {"f8", VLM_F64},
};

/* ---- header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

typedef struct header_cursor {
  const char *at, *end;
} header_cursor;

typedef struct header {
  vlm_tensor tensor; /* without data */
  bool fortran, swapped, has_descr, has_order, has_shape;
} header;

static void skip_space(header_cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) c->at++;
}

static bool take(header_cursor *c, const char *text) {
  size_t n = strlen(text);
  skip_space(c);
  if ((size_t)(c->end - c->at) < n || memcmp(c->at, text, n) != 0) return false;
  c->at += n;
  return true;
}

/* A quoted word of at most 31 characters. */
static bool take_word(header_cursor *c, char word[32]) {
  skip_space(c);
  if (c->at >= c->end || (*c->at != '\'' && *c->at != '"')) return false;
  char quote = *c->at++;
  size_t n = 0;
  while (c->at < c->end && *c->at != quote && n < 31) word[n++] = *c->at++;
  word[n] = 0;
  return c->at < c->end && *c->at++ == quote;
}

/* A number as Python 3 or Python 2 ("3L") writes it. */
static bool take_number(header_cursor *c, int64_t *value) {
  int64_t v = 0;
  int digits = 0;
  skip_space(c);
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++)
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *c->at - '0', &v)) return false;
  if (digits) take(c, "L");
  *value = v;
  return digits > 0;
}

static vlm_status read_descr(header *h, header_cursor *c, const char *name, vlm_error *err) {
  char word[32] = "";
  vlm_status st = VLM_OK;
  VLM_CHECK(take_word(c, word), err, VLM_UNSUPPORTED, "%s: is an array of records; plain numbers are wanted",
            name);
  h->swapped = word[0] == '>';
  for (size_t i = 0; i < sizeof codes / sizeof codes[0] && strchr("<>|=", word[0]) && word[0]; i++)
    if (strcmp(word + 1, codes[i].code) == 0) h->tensor.dtype = codes[i].dtype;
  VLM_CHECK(h->tensor.dtype != VLM_NONE, err, VLM_UNSUPPORTED,
            "%s: type \"%s\" is not supported; bool, integers and float16 to float64 are", name, word);
  h->has_descr = true;
out:
  return st;
}

static vlm_status read_shape(header *h, header_cursor *c, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(take(c, "("), err, VLM_INPUT, "%s: the header's shape is not a tuple", name);
  while (!take(c, ")")) {
    VLM_CHECK(h->tensor.rank < VLM_MAX_RANK, err, VLM_LIMIT, "%s: more than %d dimensions", name,
              VLM_MAX_RANK);
    VLM_CHECK(take_number(c, &h->tensor.dims[h->tensor.rank]), err, VLM_INPUT,
              "%s: the header's shape has a part that is no size", name);
    h->tensor.rank++;
    VLM_CHECK(take(c, ",") || (c->at < c->end && *c->at == ')'), err, VLM_INPUT,
              "%s: the header's shape is not closed", name);
  }
  h->has_shape = true;
out:
  return st;
}

static vlm_status read_entry(header *h, header_cursor *c, const char *name, vlm_error *err) {
  char key[32] = "";
  vlm_status st = VLM_OK;
  VLM_CHECK(take_word(c, key) && take(c, ":"), err, VLM_INPUT,
            "%s: the header is not a dictionary of descr, fortran_order and shape", name);
  bool *seen = strcmp(key, "descr") == 0   ? &h->has_descr
               : strcmp(key, "shape") == 0 ? &h->has_shape
                                           : &h->has_order;
  VLM_CHECK(!*seen, err, VLM_INPUT, "%s: the header states \"%s\" twice", name, key);
  if (strcmp(key, "descr") == 0) return read_descr(h, c, name, err);
  if (strcmp(key, "shape") == 0) return read_shape(h, c, name, err);
  VLM_CHECK(strcmp(key, "fortran_order") == 0, err, VLM_INPUT, "%s: the header has an unknown key \"%s\"",
            name, key);
  h->fortran = take(c, "True");
  VLM_CHECK(h->fortran || take(c, "False"), err, VLM_INPUT, "%s: fortran_order is neither True nor False",
            name);
  h->has_order = true;
out:
  return st;
}

static vlm_status read_header(header *h, header_cursor c, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  *h = (header){0};
  VLM_CHECK(take(&c, "{"), err, VLM_INPUT, "%s: the header is not a dictionary", name);
  while (!take(&c, "}")) {
    VLM_TRY(read_entry(h, &c, name, err));
    VLM_CHECK(take(&c, ",") || (c.at < c.end && *c.at == '}'), err, VLM_INPUT, "%s: the header is not closed",
              name);
  }
  VLM_CHECK(h->has_descr && h->has_order && h->has_shape, err, VLM_INPUT, "%s: the header lacks %s", name,
            !h->has_descr   ? "descr"
            : !h->has_order ? "fortran_order"
                            : "shape");
out:
  return st;
}

/* ---- reading ---- */

/* Where the header and the data are. */
static vlm_status split_file(header_cursor *head, size_t *data_at, const unsigned char *p, size_t bytes,
                             const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(bytes >= 10 && memcmp(p, magic, sizeof magic) == 0, err, VLM_INPUT, "%s: is not an .npy file",
            name);
  VLM_CHECK(p[6] >= 1 && p[6] <= 3, err, VLM_UNSUPPORTED, "%s: .npy format %d.%d, 1 to 3 are known", name,
            p[6], p[7]);
  size_t start = p[6] == 1 ? 10 : 12;
  VLM_CHECK(bytes >= start, err, VLM_INPUT, "%s: ends within the header", name);
  size_t length = p[8] | (size_t)p[9] << 8;
  if (p[6] > 1) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  VLM_CHECK(length <= bytes - start, err, VLM_INPUT, "%s: ends within the header", name);
  *head = (header_cursor){.at = (const char *)p + start, .end = (const char *)p + start + length};
  *data_at = start + length;
out:
  return st;
}

/* Column-major `from` into row-major `to`. */
static void transpose(char *to, const char *from, const vlm_tensor *t, size_t size) {
  int64_t index[VLM_MAX_RANK] = {0}, count = vlm_tensor_count(t);
  for (int64_t i = 0; i < count; i++, to += size) {
    int64_t at = 0;
    for (int d = t->rank - 1; d >= 0; d--) at = at * t->dims[d] + index[d];
    memcpy(to, from + (size_t)at * size, size);
    for (int d = t->rank - 1; d >= 0 && ++index[d] == t->dims[d]; d--) index[d] = 0;
  }
}

/* Elements with the most significant byte first become ours. */
static void swap_bytes(uint8_t *data, size_t bytes, size_t size) {
  for (uint8_t *p = data; size > 1 && p < data + bytes; p += size)
    for (size_t i = 0; i < size / 2; i++) {
      uint8_t kept = p[i];
      p[i] = p[size - 1 - i];
      p[size - 1 - i] = kept;
    }
}

/* The bytes that the header promises. Also refuses empty shapes like (2^60, 2^60, 0), whose partial products overflow. */
static vlm_status wanted_bytes(size_t *bytes, const vlm_tensor *t, const char *name, vlm_error *err) {
  vlm_tensor full = *t;
  for (int d = 0; d < full.rank; d++) full.dims[d] += full.dims[d] == 0;
  vlm_status st = vlm_tensor_bytes_checked(bytes, &full, err);
  if (st != VLM_OK) return vlm_error_context(err, "%s", name), st;
  *bytes = vlm_tensor_bytes(t);
  return VLM_OK;
}

vlm_status vlm_npy_decode(vlm_tensor *out, const void *data, size_t bytes, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  header_cursor head;
  header h = {0};
  size_t at = 0, want = 0;
  char shape[128];
  *out = (vlm_tensor){0};
  VLM_TRY(split_file(&head, &at, data, bytes, name, err));
  VLM_TRY(read_header(&h, head, name, err));
  VLM_TRY(wanted_bytes(&want, &h.tensor, name, err));
  VLM_CHECK(want == bytes - at, err, VLM_INPUT, "%s: %s of %s is %zu bytes, the file has %zu", name,
            vlm_dtype_name(h.tensor.dtype), vlm_tensor_shape_text(&h.tensor, shape, sizeof shape), want,
            bytes - at);
  VLM_TRY(vlm_alloc(&h.tensor.data, want, 1, err));
  const char *from = (const char *)data + at;
  if (h.fortran && h.tensor.rank > 1)
    transpose(h.tensor.data, from, &h.tensor, (size_t)vlm_dtype_bits(h.tensor.dtype) / 8);
  else memcpy(h.tensor.data, from, want);
  if (h.swapped) swap_bytes(h.tensor.data, want, (size_t)vlm_dtype_bits(h.tensor.dtype) / 8);
  uint8_t *flags = h.tensor.data;
  for (size_t i = 0; h.tensor.dtype == VLM_BOOL && i < want; i++) flags[i] = flags[i] != 0;
  *out = h.tensor;
out:
  return st;
}

vlm_status vlm_npy_read(vlm_tensor *out, const char *path, vlm_error *err) {
  vlm_file file;
  *out = (vlm_tensor){0};
  vlm_status st = vlm_file_map(&file, path, err);
  if (st != VLM_OK) return st;
  st = vlm_npy_decode(out, file.data, file.bytes, path, err);
  vlm_file_unmap(&file);
  return st;
}

/* ---- writing ---- */

/* The type itself when NumPy has it, else the least wider one that does. */
static vlm_dtype stored_type(vlm_dtype dtype) {
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (codes[i].dtype == dtype) return dtype;
  return vlm_dtype_is_float(dtype) ? VLM_F32 : vlm_dtype_is_signed(dtype) ? VLM_S8 : VLM_U8;
}

static size_t format_header(char *text, size_t size, const vlm_tensor *t) {
  const char *code = "?";
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (codes[i].dtype == t->dtype) code = codes[i].code;
  int n = snprintf(text, size, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                   code[1] == '1' ? '|' : '<', code);
  for (int d = 0; d < t->rank; d++)
    n += snprintf(text + n, size - (size_t)n, "%s%lld", d ? ", " : "", (long long)t->dims[d]);
  n += snprintf(text + n, size - (size_t)n, "%s), }", t->rank == 1 ? "," : "");
  while ((n + 11) % 64) text[n++] = ' ';
  text[n++] = '\n';
  return (size_t)n;
}

/* A copy in a type that NumPy has; *copy is NULL when the tensor is written as it is. */
static vlm_status convert(vlm_tensor *stored, void **copy, const vlm_tensor *t, vlm_error *err) {
  *stored = *t;
  *copy = NULL;
  if (stored_type(t->dtype) == t->dtype) return VLM_OK;
  stored->dtype = stored_type(t->dtype);
  int64_t count = vlm_tensor_count(t);
  vlm_status st = vlm_alloc(copy, (size_t)count, (size_t)vlm_dtype_bits(stored->dtype) / 8, err);
  if (st != VLM_OK) return st;
  stored->data = *copy;
  for (int64_t i = 0; i < count; i++) vlm_tensor_set(stored, i, vlm_tensor_get(t, i));
  return VLM_OK;
}

vlm_status vlm_npy_write(const vlm_tensor *tensor, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *writer = NULL;
  vlm_tensor stored;
  void *copy = NULL;
  char text[512];
  VLM_TRY(convert(&stored, &copy, tensor, err));
  size_t n = format_header(text, sizeof text, &stored);
  unsigned char start[10] = {0};
  memcpy(start, magic, sizeof magic);
  start[6] = 1;
  start[8] = (unsigned char)(n & 255);
  start[9] = (unsigned char)(n >> 8);
  VLM_TRY(vlm_writer_open(&writer, path, err));
  VLM_TRY(vlm_writer_write(writer, start, sizeof start, err));
  VLM_TRY(vlm_writer_write(writer, text, n, err));
  VLM_TRY(vlm_writer_write(writer, stored.data, vlm_tensor_bytes(&stored), err));
  VLM_TRY(vlm_writer_commit(writer, err));
out:
  vlm_writer_free(writer);
  vlm_free(copy);
  return st;
}
