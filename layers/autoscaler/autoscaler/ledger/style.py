"""The style sheet of the report: one file, readable on a phone and on paper."""

CSS = """
:root{--ink:#1c2530;--soft:#5c6876;--line:#e3e6ea;--paper:#fff;--ground:#f6f7f8;
--serving:#1f7a6d;--kept_warm:#7fb8ad;--idle_tail:#b9c3c9;--provisioning:#e0a63c;--always:#4a5568;
--good:#166a4f;--bad:#a33b2e;--track:#eef1f3;--axis:#b6bec7;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa6b2;--line:#2f3841;
--paper:#1a2027;
--ground:#12171c;--serving:#35a08f;--kept_warm:#4f7f77;--idle_tail:#5d6973;--provisioning:#d39a3a;
--always:#a7b2bf;--good:#5cc3a0;--bad:#e5816f;--track:#232b33;--axis:#4a5560}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);line-height:1.5;
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1080px;margin:0 auto;padding:36px 24px 48px}
header{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:flex-end;gap:4px 24px}
h1{font-size:26px;line-height:1.2;margin:0;font-weight:650;letter-spacing:-.01em}
h2{font-size:16px;margin:0 0 14px;font-weight:650}
h3{font-size:16px;margin:0;font-weight:650;overflow-wrap:anywhere}
.sub{color:var(--soft);margin:2px 0 0}
.badge{display:inline-block;border:1px solid var(--line);border-radius:99px;padding:1px 10px;
font-size:12.5px;color:var(--soft);background:var(--paper)}
section,.tiles>div{background:var(--paper);border:1px solid var(--line);border-radius:10px}
section{padding:20px 22px;margin-top:18px}
.tiles{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:14px;margin-top:22px}
.tiles>div{padding:14px 18px}
.tiles span{display:block;color:var(--soft);font-size:13px}
.tiles strong{display:block;font-size:25px;line-height:1.3;font-weight:650;letter-spacing:-.01em}
.good{color:var(--good)}.bad{color:var(--bad)}
.plot{display:grid;grid-template-columns:auto 1fr;column-gap:10px}
.ticks{display:flex;flex-direction:column;justify-content:space-between;text-align:right;
color:var(--soft);font-size:12px;line-height:1;margin:-5px 0}
.drawing svg{display:block;width:100%;overflow:visible}
.bars svg{height:200px}.line svg{height:40px}
.labels{grid-column:2;position:relative;height:20px;font-size:12px;color:var(--soft);margin-top:5px}
.labels span{position:absolute;white-space:nowrap}
.serving{fill:var(--serving)}.kept_warm{fill:var(--kept_warm)}.idle_tail{fill:var(--idle_tail)}.provisioning{fill:var(--provisioning)}
path{fill:none;vector-effect:non-scaling-stroke}
.grid{stroke:var(--line)}.axis{stroke:var(--axis)}
.baseline{stroke:var(--always);stroke-width:1.6;stroke-dasharray:5 4}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin:10px 0 0;padding:0;
font-size:13px;color:var(--soft)}
.legend li::before,dt[class]:not([class=""])::before{content:"";display:inline-block;width:11px;
height:11px;border-radius:2px;margin-right:7px;vertical-align:-1px}
.legend .serving::before,dt.serving::before,i.serving{background:var(--serving)}
.legend .kept_warm::before,dt.kept_warm::before,i.kept_warm{background:var(--kept_warm)}
.legend .idle_tail::before,dt.idle_tail::before,i.idle_tail{background:var(--idle_tail)}
.legend .provisioning::before,dt.provisioning::before,i.provisioning{background:var(--provisioning)}
.legend .always::before{height:0;border-top:2px dashed var(--always);border-radius:0;width:18px;
vertical-align:4px}
.share{display:flex;height:20px;border-radius:5px;overflow:hidden;background:var(--track);
border:1px solid var(--line)}
.cap{color:var(--soft);font-size:13.5px;margin:0 0 9px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:8px 10px;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:500;color:var(--soft);font-size:12.5px;white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0}
td:first-child{overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:0}
tbody tr:last-child td{border-bottom:0}
tfoot td{border-top:1.5px solid var(--ink);border-bottom:0;font-weight:650}
td small{display:block;color:var(--soft);font-weight:400}
td>span{white-space:nowrap}
dd small{color:var(--soft);font-size:12px}
.head{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 18px;margin-bottom:14px}
.head p{margin:0;color:var(--soft)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:14px 22px;
margin:16px 0 0}
dt{color:var(--soft);font-size:12.5px}dd{margin:0}
.notes{color:var(--soft);font-size:13.5px;padding-left:18px;margin:0}
.notes li{margin-top:5px}
.empty{color:var(--soft);margin:0}
@media screen and (max-width:700px){
main{padding:22px 14px 32px}h1{font-size:22px}section{padding:16px}
.tiles{grid-template-columns:1fr 1fr;gap:10px}.tiles>div{padding:11px 14px}
.tiles strong{font-size:21px}
.bars svg{height:150px}
.labels span:nth-child(even){display:none}
dl{grid-template-columns:1fr 1fr}
table,tbody,tfoot,tr,td{display:block}thead{display:none}
tr{padding:10px 0;border-bottom:1px solid var(--line)}
tbody tr:first-child{padding-top:0}tbody tr:last-child{border-bottom:0}
tfoot tr{border-top:1.5px solid var(--ink);border-bottom:0}
td,td:first-child{display:flex;justify-content:space-between;gap:16px;border:0;padding:2px 0;
text-align:right}
td:first-child{font-weight:650;display:block;text-align:left;margin-bottom:4px}
td[data-label]::before{content:attr(data-label);color:var(--soft);font-weight:400}
td>span{white-space:normal}
td small{display:inline;margin-left:6px}td:first-child small{display:block;margin:0}
tfoot td{border-top:0}
}
@media print{
:root{--ink:#1c2530;--soft:#5c6876;--line:#ccc;--paper:#fff;--ground:#fff;--serving:#1f7a6d;
--kept_warm:#7fb8ad;--idle_tail:#b9c3c9;--provisioning:#e0a63c;
--always:#4a5568;--good:#166a4f;--bad:#a33b2e;--track:#eef1f3;--axis:#b6bec7;color-scheme:light}
body{font-size:10pt}main{max-width:none;padding:0}
section{padding:12px 14px;margin-top:12px}
section:not(:has(tbody tr:nth-child(25))),.tiles>div,.plot,tr,li,dl>div{break-inside:avoid}
h2,.head,.cap{break-after:avoid}
.tiles{gap:8px;margin-top:12px}.tiles>div{padding:8px 10px}.tiles strong{font-size:14pt}
dl{grid-template-columns:repeat(4,minmax(0,1fr));gap:7px 12px;margin-top:8px;font-size:8.5pt}
dt{font-size:8pt}.head{margin-bottom:6px}dd small{font-size:7pt}
table{font-size:8.5pt}th,td{padding:5px 6px}th{font-size:8pt;white-space:normal}
thead{display:table-header-group;break-inside:avoid;break-after:avoid}
tfoot{display:table-row-group}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
@page{size:A4;margin:13mm}
}
"""
