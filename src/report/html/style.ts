/** The style sheet of pages: light, dark and paper; phones and desks. */

/**
 * Colours of holders are those of Okabe and Ito (jfly.uni-koeln.de/color, 2008), which people with
 * any kind of colour vision can tell apart; the dark scheme has lighter ones of the same hues.
 */
const LIGHT = `
  --bg:#fff;--fg:#1b1f24;--muted:#59636e;--edge:#d9dee4;--panel:#f5f7f9;--link:#0b5cad;
  --good:#176f2c;--bad:#b3261e;--warn:#875300;
  --good-bg:#e6f4ea;--bad-bg:#fdeceb;--warn-bg:#fff4dc;
  --c0:#0072b2;--c1:#e69f00;--c2:#009e73;--c3:#cc79a7;--c4:#56b4e9;--c5:#d55e00;
  --others:#636c75;--boot:#d5dae0;--lines:#a98f5a;
  --booting:#dde2e7;--msix:#35618f;--msi:#86aed6;--intx:#f0b95a;--idle:#b9c0c8;--crashed:#c0392b;
  --on-msix:#fff;--on-msi:#10243a;--on-intx:#3a2700;
  --h0:#f1f5f9;--h1:#fbe6c2;--h2:#f8c585;--h3:#ee9a55;--h4:#d4632f;--h5:#9c2f1b;
  --ht0:#1b1f24;--ht1:#1b1f24;--ht2:#1b1f24;--ht3:#1b1f24;--ht4:#fff;--ht5:#fff;`;

const DARK = `
  --bg:#14181d;--fg:#e4e8ed;--muted:#9aa5b1;--edge:#2f3742;--panel:#1c2229;--link:#79b8ff;
  --good:#6fd58b;--bad:#ff8f86;--warn:#f2c063;
  --good-bg:#16301f;--bad-bg:#3b1d1c;--warn-bg:#35290f;
  --c0:#3d9fdc;--c1:#f0b429;--c2:#2bbd93;--c3:#e09cc3;--c4:#8fd3ff;--c5:#f27d33;
  --others:#76808b;--boot:#3a434e;--lines:#9c8657;
  --booting:#3a434e;--msix:#79a9dc;--msi:#456a94;--intx:#e0a63c;--idle:#59636e;--crashed:#f0776c;
  --on-msix:#0c1a2a;--on-msi:#fff;--on-intx:#2a1c00;
  --h0:#222931;--h1:#4b3a1f;--h2:#7d5423;--h3:#b26b2c;--h4:#dd8a4a;--h5:#ffc08a;
  --ht0:#e4e8ed;--ht1:#fff;--ht2:#fff;--ht3:#fff;--ht4:#14181d;--ht5:#14181d;`;

export const STYLE = `
:root{color-scheme:light dark;${LIGHT}
}
@media (prefers-color-scheme:dark){:root{${DARK}
}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:3.4rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Ubuntu,sans-serif;
  font-variant-numeric:tabular-nums;overflow-wrap:break-word}
header,main,nav{max-width:60rem;margin:0 auto;padding:0 1.1rem}
header{padding-top:1.6rem}
h1{font-size:1.75rem;line-height:1.2;margin:0;letter-spacing:-.015em}
h2{font-size:1.2rem;margin:2.6rem 0 .7rem;padding-top:1.1rem;border-top:1px solid var(--edge)}
section:first-child h2{border:0;padding:0;margin-top:1.1rem}
h3{font-size:1rem;margin:1.5rem 0 .4rem}
p{margin:.5rem 0}
a{color:var(--link)}
code{font:.92em ui-monospace,"SF Mono",Menlo,"DejaVu Sans Mono",monospace}
.sub,figcaption,.note{color:var(--muted)}
.sub{margin:.35rem 0 .8rem}
.note,figcaption{font-size:.87rem}
nav{position:sticky;top:0;z-index:1;display:flex;gap:1.1rem;overflow-x:auto;white-space:nowrap;
  background:var(--bg);border-bottom:1px solid var(--edge);padding-top:.6rem;padding-bottom:.6rem;
  scrollbar-width:none;font-size:.9rem}
nav::-webkit-scrollbar{display:none}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
.verdict{border-left:4px solid;border-radius:4px;padding:.7rem 1rem;margin:0 0 1rem}
.verdict strong{display:block;font-size:1.08rem}
.verdict p{margin:.3rem 0 0}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.verdict.good{background:var(--good-bg)}.verdict.bad{background:var(--bad-bg)}
.verdict.warn{background:var(--warn-bg)}
.verdict p,.verdict ul{color:var(--fg)}
.verdict ul{margin:.2rem 0;padding-left:1.1rem}
.verdict.plain{background:var(--panel);border-color:var(--link)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.9rem,1fr));gap:.6rem;
  margin:1rem 0;padding:0;list-style:none}
.figures li{background:var(--panel);border-radius:6px;padding:.6rem .75rem}
.figures span{display:block;font-size:.8rem;color:var(--muted)}
.figures b{display:block;font-size:1.15rem;font-weight:600;line-height:1.4;overflow-wrap:anywhere}
.figures .bad b{color:var(--bad)}
.list{list-style:none;padding:0;margin:.4rem 0}
.list li{padding:.22rem 0 .22rem 1.6rem;position:relative}
.list li>b:first-child{position:absolute;left:0}
.advice{display:block;color:var(--muted)}
.scroll{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;font-size:.9rem}
th,td{text-align:right;padding:.26rem .65rem;white-space:nowrap;vertical-align:top}
th:first-child,td:first-child{padding-left:0}
th{font-weight:600;color:var(--muted);border-bottom:1px solid var(--edge);vertical-align:bottom}
tbody tr+tr td{border-top:1px solid var(--panel)}
tfoot td{border-top:1px solid var(--edge);font-weight:600}
.l{text-align:left}
td.l+td.l{white-space:normal;overflow-wrap:break-word}
.held{white-space:nowrap}
.matrix th{white-space:normal;min-width:4.5rem}

.bar{display:inline-block;height:.62em;border-radius:2px;background:var(--c0);margin-left:.5em}
.dot{display:inline-block;width:.6em;height:.6em;border-radius:2px;margin-right:.4em}
.field{flex:none;width:14px;height:12px;border-radius:2px}
figure{margin:.9rem 0 1.2rem}
figure svg{display:block;max-width:100%;height:auto}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.4rem 0;
  font-size:.87rem}
.legend li{display:flex;align-items:center;gap:.4rem}
.legend svg{flex:none;fill:none;stroke-width:2}
.plot{font:11px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Ubuntu,sans-serif;
  font-variant-numeric:tabular-nums;overflow:visible}
.plot text,.plot tspan{white-space:pre}
.narrow{display:none}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--link);width:fit-content;padding:.15rem 0}
main{padding-bottom:3rem}
@media (max-width:58rem){
  .wide{display:none}.narrow{display:block}
  .narrow{max-width:26rem}
}
@media (min-width:40rem) and (max-width:58rem){
  .wide{display:block}.narrow{display:none}
}
@media (max-width:40rem){
  h1{font-size:1.45rem}
  th,td{padding:.24rem .5rem}
  table{font-size:.84rem}
}
@media print{
  :root{color-scheme:light;${LIGHT}
  }
  @page{margin:14mm}
  body{font-size:10.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
  header,main{max-width:none;padding:0}
  nav{display:none}
  .wide{display:block}.narrow{display:none}
  figure,tr,.verdict,.figures{break-inside:avoid}
  h2,h3{break-after:avoid}
  .scroll{overflow:visible}
  table{font-size:8.2pt}
  th,td{padding:.2rem .4rem}
  a{color:inherit;text-decoration:none}
}
`;
