# The set "cc": Debian's gcc, whose every start runs mostly new code.
. /bench/lib.sh
cat > /tmp/t.c <<'X'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct n { struct n *l, *r; long k; char v[24]; } n;
static n *ins(n *t, long k) { if (!t) { t = calloc(1, sizeof *t); t->k = k; snprintf(t->v, sizeof t->v, "v%ld", k); return t; } if (k < t->k) t->l = ins(t->l, k); else if (k > t->k) t->r = ins(t->r, k); return t; }
static long walk(n *t, double *d) { if (!t) return 0; long a = walk(t->l, d); *d += (double)t->k / (strlen(t->v) + 1); return a + walk(t->r, d) + 1; }
int main(int c, char **v) { unsigned s = 1; n *t = 0; double d = 0; for (int i = 0; i < 20000; i++) { s = s * 1103515245u + 12345u; t = ins(t, (s >> 8) % 100000); } printf("%ld %.6f\n", walk(t, &d), d); return 0; }
X
b cc-O0 sh -c 'gcc -O0 -c -o /tmp/t0.o /tmp/t.c && md5sum < /tmp/t0.o'
b cc-O2 sh -c 'gcc -O2 -c -o /tmp/t2.o /tmp/t.c && md5sum < /tmp/t2.o'
b cc-link sh -c 'gcc -O2 -static -o /tmp/t /tmp/t.c && /tmp/t'
