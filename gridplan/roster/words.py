"""What a column of a roster, and a word in it, means: usual English and Chinese words → ours."""

from __future__ import annotations

from collections.abc import Mapping

from gridplan.layers import ROLES
from gridplan.sheets import fold

_COLUMNS: dict[str, str] = {
    "staff_id": "staff_id staffid 工号 编号 人员编号 员工编号 人员编码 职工号",
    "role": "role 岗位 角色 职务 岗位名称 岗位类别",
    "community_id": "community_id community_code 社区编码 社区代码 社区编号 村社区代码",
    "community": "community community_name 社区 社区名称 所属社区 所在社区 村社区",
    "capacity": "capacity 容量 承载 承载量 可管户数 可管网格数 承载户数 承载网格数",
    "capacity_unit": "capacity_unit 承载单位 容量单位",
    "part_time": "part_time working_share fte 工时比例 兼职 工时 兼职比例 工作时间比例",
    "languages": "languages skills 语言 技能 语言技能 语言和技能 特长",
    "grids": "grids current_grids grid_id 现任网格 当前网格 负责网格 所管网格 网格编码",
    "buildings": "buildings known_buildings 包片 包联楼栋 包片楼栋 包联 包楼 熟悉楼栋",
    "wishes": "wishes 意愿 意愿网格 志愿",
    "bars": "bars recusal 回避 回避网格",
    "communities": "communities 可调配社区 可支援社区 可跨社区",
    "person": "person name full_name 姓名 人员姓名 名字",
    "phone": "phone mobile telephone tel 电话 手机 联系电话 手机号 手机号码 电话号码 联系方式",
    "home": "home address home_address 住址 家庭住址 居住地址 现住址 家庭地址",
}
# Ours → the folded names it goes by, best first.
ALIASES: dict[str, tuple[str, ...]] = {
    ours: tuple(dict.fromkeys(fold(word) for word in words.split()))
    for ours, words in _COLUMNS.items()}

_ROLES: dict[str, str] = {
    "responsible": "网格责任人 网格员 网格长 责任人 专职网格员 兼职网格员 A岗 A角",
    "backup": "B岗 B角 协管 替补 后备 替补网格员",
    "coordinator": "协调员 社区协调员",
    "community_officer": "社区民警 民警 片警 包片民警",
    "mediator": "调解员 人民调解员",
    "guard": "保安 巡防队员 保安员 巡防员",
    "social_worker": "社工 社会工作者",
    "liaison": "联络员",
    "newcomer_assistant": "流动人口协管员 流管员 外来人口协管员",
    "assistant": "网格助理 协理员 网格协理员 助理网格员",
}
ROLE_WORDS: Mapping[str, str] = {
    fold(word): role for role in ROLES for word in (role, *_ROLES[role].split())}
UNIT_WORDS: Mapping[str, str] = {
    "households": "households", "household": "households", "户": "households",
    "户数": "households", "住户": "households", "grids": "grids", "grid": "grids",
    "网格": "grids", "网格数": "grids", "个网格": "grids", "格": "grids", "个": "grids"}
FULL_TIME = frozenset(("全职", "专职", "全日制", "fulltime"))


def list_roles() -> str:
    """Return every role with the first Chinese word for it, to be shown.

    >>> list_roles().split(", ")[0]
    'responsible (网格责任人)'
    """
    return ", ".join(f"{role} ({_ROLES[role].split()[0]})" for role in ROLES)
