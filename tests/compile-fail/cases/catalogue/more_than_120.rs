use intercom_core::{IntercomEvent, catalogue};

#[derive(IntercomEvent)]
enum Many {
    #[event(name = "event_0")]
    E0,
    #[event(name = "event_1")]
    E1,
    #[event(name = "event_2")]
    E2,
    #[event(name = "event_3")]
    E3,
    #[event(name = "event_4")]
    E4,
    #[event(name = "event_5")]
    E5,
    #[event(name = "event_6")]
    E6,
    #[event(name = "event_7")]
    E7,
    #[event(name = "event_8")]
    E8,
    #[event(name = "event_9")]
    E9,
    #[event(name = "event_10")]
    E10,
    #[event(name = "event_11")]
    E11,
    #[event(name = "event_12")]
    E12,
    #[event(name = "event_13")]
    E13,
    #[event(name = "event_14")]
    E14,
    #[event(name = "event_15")]
    E15,
    #[event(name = "event_16")]
    E16,
    #[event(name = "event_17")]
    E17,
    #[event(name = "event_18")]
    E18,
    #[event(name = "event_19")]
    E19,
    #[event(name = "event_20")]
    E20,
    #[event(name = "event_21")]
    E21,
    #[event(name = "event_22")]
    E22,
    #[event(name = "event_23")]
    E23,
    #[event(name = "event_24")]
    E24,
    #[event(name = "event_25")]
    E25,
    #[event(name = "event_26")]
    E26,
    #[event(name = "event_27")]
    E27,
    #[event(name = "event_28")]
    E28,
    #[event(name = "event_29")]
    E29,
    #[event(name = "event_30")]
    E30,
    #[event(name = "event_31")]
    E31,
    #[event(name = "event_32")]
    E32,
    #[event(name = "event_33")]
    E33,
    #[event(name = "event_34")]
    E34,
    #[event(name = "event_35")]
    E35,
    #[event(name = "event_36")]
    E36,
    #[event(name = "event_37")]
    E37,
    #[event(name = "event_38")]
    E38,
    #[event(name = "event_39")]
    E39,
    #[event(name = "event_40")]
    E40,
    #[event(name = "event_41")]
    E41,
    #[event(name = "event_42")]
    E42,
    #[event(name = "event_43")]
    E43,
    #[event(name = "event_44")]
    E44,
    #[event(name = "event_45")]
    E45,
    #[event(name = "event_46")]
    E46,
    #[event(name = "event_47")]
    E47,
    #[event(name = "event_48")]
    E48,
    #[event(name = "event_49")]
    E49,
    #[event(name = "event_50")]
    E50,
    #[event(name = "event_51")]
    E51,
    #[event(name = "event_52")]
    E52,
    #[event(name = "event_53")]
    E53,
    #[event(name = "event_54")]
    E54,
    #[event(name = "event_55")]
    E55,
    #[event(name = "event_56")]
    E56,
    #[event(name = "event_57")]
    E57,
    #[event(name = "event_58")]
    E58,
    #[event(name = "event_59")]
    E59,
    #[event(name = "event_60")]
    E60,
    #[event(name = "event_61")]
    E61,
    #[event(name = "event_62")]
    E62,
    #[event(name = "event_63")]
    E63,
    #[event(name = "event_64")]
    E64,
    #[event(name = "event_65")]
    E65,
    #[event(name = "event_66")]
    E66,
    #[event(name = "event_67")]
    E67,
    #[event(name = "event_68")]
    E68,
    #[event(name = "event_69")]
    E69,
    #[event(name = "event_70")]
    E70,
    #[event(name = "event_71")]
    E71,
    #[event(name = "event_72")]
    E72,
    #[event(name = "event_73")]
    E73,
    #[event(name = "event_74")]
    E74,
    #[event(name = "event_75")]
    E75,
    #[event(name = "event_76")]
    E76,
    #[event(name = "event_77")]
    E77,
    #[event(name = "event_78")]
    E78,
    #[event(name = "event_79")]
    E79,
    #[event(name = "event_80")]
    E80,
    #[event(name = "event_81")]
    E81,
    #[event(name = "event_82")]
    E82,
    #[event(name = "event_83")]
    E83,
    #[event(name = "event_84")]
    E84,
    #[event(name = "event_85")]
    E85,
    #[event(name = "event_86")]
    E86,
    #[event(name = "event_87")]
    E87,
    #[event(name = "event_88")]
    E88,
    #[event(name = "event_89")]
    E89,
    #[event(name = "event_90")]
    E90,
    #[event(name = "event_91")]
    E91,
    #[event(name = "event_92")]
    E92,
    #[event(name = "event_93")]
    E93,
    #[event(name = "event_94")]
    E94,
    #[event(name = "event_95")]
    E95,
    #[event(name = "event_96")]
    E96,
    #[event(name = "event_97")]
    E97,
    #[event(name = "event_98")]
    E98,
    #[event(name = "event_99")]
    E99,
    #[event(name = "event_100")]
    E100,
    #[event(name = "event_101")]
    E101,
    #[event(name = "event_102")]
    E102,
    #[event(name = "event_103")]
    E103,
    #[event(name = "event_104")]
    E104,
    #[event(name = "event_105")]
    E105,
    #[event(name = "event_106")]
    E106,
    #[event(name = "event_107")]
    E107,
    #[event(name = "event_108")]
    E108,
    #[event(name = "event_109")]
    E109,
    #[event(name = "event_110")]
    E110,
    #[event(name = "event_111")]
    E111,
    #[event(name = "event_112")]
    E112,
    #[event(name = "event_113")]
    E113,
    #[event(name = "event_114")]
    E114,
    #[event(name = "event_115")]
    E115,
    #[event(name = "event_116")]
    E116,
    #[event(name = "event_117")]
    E117,
    #[event(name = "event_118")]
    E118,
    #[event(name = "event_119")]
    E119,
}

#[derive(IntercomEvent)]
#[event(name = "project_created")]
struct ProjectCreated;

#[derive(IntercomEvent)]
#[event(name = "project_made")]
struct ProjectMade;

catalogue! { static ACME: Many, ProjectCreated, ProjectMade }

fn main() {}
