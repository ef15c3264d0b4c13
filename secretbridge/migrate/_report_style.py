"""The style sheet of the report's page."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--fg:#1b1f24;--dim:#535c68;--line:#d9dee5;
--good:#0b6b3a;--good-bg:#dff3e6;--warn:#7a4b00;--warn-bg:#fdf0d2;--bad:#a1201c;--bad-bg:#fde4e2;
--info:#1c4f8f;--info-bg:#e2edfb;--code:#eef1f5}
@media (prefers-color-scheme:dark){:root{--bg:#11151a;--card:#1a2027;--fg:#e7ebf0;--dim:#a3afbd;
--line:#323b46;--good:#7fdba6;--good-bg:#12341f;--warn:#f3c66d;--warn-bg:#3a2b08;--bad:#ffa39c;
--bad-bg:#43191a;--info:#9cc7ff;--info-bg:#162c47;--code:#0c1014}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);line-height:1.5;
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 3rem}
.over{margin:0;color:var(--dim);font-size:.875rem;letter-spacing:.04em}
h1{margin:.15rem 0 .6rem;font-size:1.6rem;line-height:1.25}
h2{margin:0 0 .75rem;font-size:1.15rem}
.sub{margin:0;color:var(--dim)}
section{margin-top:1.25rem;padding:1.1rem;background:var(--card);border:1px solid var(--line);
border-radius:.6rem}
.name,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em}
.name,td,th,li,dd,p{overflow-wrap:anywhere;min-width:0}
.badge{display:inline-block;margin-right:.35rem;padding:.1rem .6rem;border-radius:1rem;font-weight:600;
font-size:.875rem;color:var(--warn);background:var(--warn-bg)}
.badge.done{color:var(--good);background:var(--good-bg)}
.badge.undone,.badge.running{color:var(--info);background:var(--info-bg)}
ol,ul{margin:0;padding-left:1.3rem}
ol>li+li{margin-top:.7rem}
pre{margin:.35rem 0 0;padding:.5rem .7rem;background:var(--code);border-radius:.35rem;white-space:pre-wrap;
overflow-wrap:anywhere}
.or{margin:.35rem 0 0;color:var(--dim);font-size:.875rem}
.cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,17rem),1fr));align-items:start}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{padding:0 0 .3rem;text-align:left;color:var(--dim);font-size:.875rem}
th{text-align:left;font-weight:400}
td,th{padding:.4rem .5rem .4rem 0;vertical-align:top;border-top:1px solid var(--line)}
.card td{text-align:right;padding-right:0;font-weight:600;white-space:nowrap}
small{display:block;color:var(--dim);font-size:.8125rem}
.rows thead th{border-top:0;color:var(--dim);font-size:.875rem}
.rows td,.rows th{padding-right:1rem}
.rows{table-layout:fixed}
.secrets th:nth-child(1){width:28%}
.secrets th:nth-child(2){width:22%}
.secrets th:nth-child(3){width:8rem}
.losses th:nth-child(1){width:9rem}
.losses th:nth-child(3){width:6rem}
.open td:nth-child(2){color:var(--bad)}
.done td:nth-child(2){color:var(--good)}
.undone td:nth-child(2){color:var(--info)}
.refused td:nth-child(2){color:var(--warn)}
.skipped td:nth-child(2){color:var(--dim)}
.to{color:var(--dim);font-size:.875rem}
.notes{padding-left:1rem}
dl{margin:0 0 1rem}
dl div{display:grid;grid-template-columns:9rem 1fr;gap:.5rem;padding:.25rem 0}
dt{color:var(--dim)}
dd{margin:0}
.made,footer{color:var(--dim);font-size:.875rem}
.made{margin:.75rem 0 0}
footer{margin-top:1.25rem}
.hidden{position:absolute;width:1px;height:1px;margin:-1px;padding:0;overflow:hidden;clip-path:inset(50%);
white-space:nowrap}
@media (max-width:44rem){
main{padding:1rem .75rem 2rem}
section{padding:.9rem}
h1{font-size:1.35rem}
.rows,.rows tbody,.rows tr,.rows th,.rows td{display:block;width:auto}
.rows thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.rows tr{padding:.6rem 0;border-top:1px solid var(--line)}
.rows tbody tr:first-child{border-top:0;padding-top:0}
.rows tbody th:nth-child(n),.rows td{width:auto;padding:.1rem 0;border:0}
.rows tbody th{font-weight:600}
.rows td:empty{display:none}
.rows td[data-label]::before{content:attr(data-label) ": ";color:var(--dim);font-size:.875rem}
dl div{grid-template-columns:1fr;gap:0}
}
@media print{
:root{color-scheme:light;--bg:#fff;--card:#fff;--fg:#000;--dim:#444;--line:#bbb;--good:#0b6b3a;--warn:#7a4b00;
--bad:#a1201c;--info:#1c4f8f;--good-bg:#fff;--warn-bg:#fff;--bad-bg:#fff;--info-bg:#fff;--code:#fff}
body{font-size:10pt}
main{max-width:none;padding:0}
section{border:0;padding:0;break-inside:auto}
.badge,pre{border:1px solid var(--line)}
h2,caption{break-after:avoid}
tr,li,dl div{break-inside:avoid}
thead{display:table-header-group}
}
@page{margin:15mm}
"""
